// What a realtime session is set to: OpenAI's session object, merged with what the client changes of it.
import Foundation
import LyraMedia

struct RealtimeSettings: Sendable {
    /// As it is told to the client.
    private(set) var body: JSONValue
    /// nil: the client commits what it sends by itself.
    private(set) var detection: VoiceActivityDetector.Options?
    private(set) var createsResponse = true
    private(set) var interruptsResponse = true
    private(set) var instructions: String?
    private(set) var speaks = true
    private(set) var transcribes = false
    private(set) var maximumTokens: Int
    private(set) var temperature = 0.0
    private let limit: Int

    /// Samples a second of the sound that goes in and out.
    static let rate = 24_000

    init(id: String, model: String, limit: Int) {
        (self.limit, maximumTokens) = (limit, limit)
        let format: JSONValue = ["type": "audio/pcm", "rate": .init(Self.rate)]
        let detection = VoiceActivityDetector.Options()
        self.detection = detection
        body = [
            "type": "realtime", "object": "realtime.session", "id": .text(id), "model": .text(model), "output_modalities": ["audio"],
            "instructions": "", "max_output_tokens": "inf", "tools": [], "tool_choice": "auto",
            "audio": [
                "input": [
                    "format": format, "transcription": nil, "noise_reduction": nil,
                    "turn_detection": [
                        "type": "server_vad", "threshold": .number(Double(detection.threshold)),
                        "prefix_padding_ms": .init(Int(detection.prefixPadding * 1000)),
                        "silence_duration_ms": .init(Int(detection.silenceDuration * 1000)), "create_response": true,
                        "interrupt_response": true,
                    ],
                ],
                "output": ["format": format, "voice": "lyra", "speed": 1],
            ],
        ]
    }

    /// - Throws: `APIError` that names what is wrong; nothing is changed then.
    mutating func update(_ change: JSONValue) throws {
        guard change.isObject else {
            throw APIError.invalid("Missing required parameter: 'session'.", param: "session", code: "missing_required_parameter")
        }
        var new = self
        new.body = body.merged(Self.modern(change))
        try new.read()
        self = new
    }

    /// Fields of the interface's first version, where they are now.
    private static func modern(_ change: JSONValue) -> JSONValue {
        guard case .object(var fields) = change else { return change }
        var input: [String: JSONValue] = [:], output: [String: JSONValue] = [:]
        if let old = fields.removeValue(forKey: "modalities") {
            let hasSound = old.list?.contains("audio") ?? false
            fields["output_modalities"] = hasSound ? ["audio"] : ["text"]
        }
        for (name, place) in [("turn_detection", "turn_detection"), ("input_audio_transcription", "transcription")] {
            if let old = fields.removeValue(forKey: name) { input[place] = old }
        }
        for (name, isInput) in [("input_audio_format", true), ("output_audio_format", false)] {
            guard let old = fields.removeValue(forKey: name) else { continue }
            let format: JSONValue = old == "pcm16" ? ["type": "audio/pcm", "rate": .init(rate)] : ["type": old]
            if isInput { input["format"] = format } else { output["format"] = format }
        }
        if let old = fields.removeValue(forKey: "voice") { output["voice"] = old }
        if let old = fields.removeValue(forKey: "max_response_output_tokens") { fields["max_output_tokens"] = old }
        var audio: JSONValue = [:]
        if !input.isEmpty { audio = audio.merged(["input": .object(input)]) }
        if !output.isEmpty { audio = audio.merged(["output": .object(output)]) }
        if audio != [:] { fields["audio"] = (fields["audio"] ?? [:]).merged(audio) }
        return .object(fields)
    }

    private mutating func read() throws {
        func wrong(_ path: String, _ rule: String) -> APIError {
            .invalid("'session.\(path)' \(rule).", param: "session.\(path)", code: "invalid_value")
        }
        func number(_ value: JSONValue?, _ path: String, _ range: ClosedRange<Double>, default standard: Double) throws -> Double {
            guard let value else { return standard }
            guard let number = value.number, range.contains(number) else {
                throw wrong(path, "is a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        let input = body["audio"]?["input"], output = body["audio"]?["output"]
        for (format, path) in [(input?["format"], "audio.input.format"), (output?["format"], "audio.output.format")] {
            guard let format else { continue }
            guard format["type"]?.text == "audio/pcm", format["rate"]?.number ?? Double(Self.rate) == Double(Self.rate) else {
                throw wrong(path, "is {\"type\": \"audio/pcm\", \"rate\": \(Self.rate)}")
            }
        }
        if body.has("tools"), body["tools"]?.list?.isEmpty == false { throw APIError.unsupported("Calling of tools", param: "session.tools") }
        instructions = body["instructions"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        speaks = try Self.speaks(body["output_modalities"], "session.output_modalities")
        maximumTokens = try Self.tokens(body["max_output_tokens"], limit, "session.max_output_tokens")
        temperature = try number(body["temperature"], "temperature", 0...2, default: 0)
        transcribes = input?["transcription"]?.isObject ?? false
        guard let turns = input?["turn_detection"] else {
            detection = nil
            return
        }
        let place = "audio.input.turn_detection"
        guard turns["type"]?.text ?? "server_vad" == "server_vad" else { throw wrong("\(place).type", "is server_vad, or turn_detection is null") }
        var options = VoiceActivityDetector.Options()
        options.threshold = Float(try number(turns["threshold"], "\(place).threshold", 0...1, default: Double(options.threshold)))
        options.prefixPadding = try number(turns["prefix_padding_ms"], "\(place).prefix_padding_ms", 0...5_000, default: options.prefixPadding * 1000) / 1000
        options.silenceDuration =
            try number(turns["silence_duration_ms"], "\(place).silence_duration_ms", 50...10_000, default: options.silenceDuration * 1000) / 1000
        detection = options
        createsResponse = turns["create_response"]?.bool ?? true
        interruptsResponse = turns["interrupt_response"]?.bool ?? true
    }

    static func speaks(_ modalities: JSONValue?, _ path: String) throws -> Bool {
        guard let modalities else { return true }
        let names = modalities.list?.compactMap(\.text) ?? []
        guard !names.isEmpty, names.allSatisfy({ ["text", "audio"].contains($0) }) else {
            throw APIError.invalid("'\(path)' is [\"audio\"] or [\"text\"].", param: path, code: "invalid_value")
        }
        return names.contains("audio")
    }

    static func tokens(_ value: JSONValue?, _ limit: Int, _ path: String) throws -> Int {
        guard let value, value != "inf" else { return limit }
        guard let number = value.number.flatMap({ Int(exactly: $0) }), number >= 1 else {
            throw APIError.invalid("'\(path)' is a number from 1, or \"inf\".", param: path, code: "invalid_value")
        }
        return min(number, limit)
    }
}
