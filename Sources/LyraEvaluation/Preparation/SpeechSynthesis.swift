// Text to speech by a program of the user's, many voices and several at a time.
import Foundation
import LyraMedia

/// A speech synthesiser that is a command.
public struct SpeechCommand: Sendable {
    private let command: String
    public let voices: [String]

    /// - Parameters:
    ///   - command: run by a shell for each text, which it finds on standard input and as `{text}`; it writes `{output}`. `{voice}`
    ///     stands for a voice.
    ///   - voices: one is chosen for each text by its name, always the same.
    public init(_ command: String, voices: [String]) throws {
        guard command.contains("{output}") else {
            throw EvaluationError.invalid("the command has no {output}, the file that it is to write")
        }
        guard !voices.isEmpty || !command.contains("{voice}") else {
            throw EvaluationError.invalid("the command has a {voice}, but no voices are named")
        }
        (self.command, self.voices) = (command, voices.isEmpty ? [""] : voices)
    }

    public func voice(for name: String) -> String { StableHash.pick(voices, for: name) }

    /// Has a text spoken into a file, which appears when it is complete. What is there already stays.
    public func speak(_ text: String, voice: String, to path: String) async throws {
        guard !Files.exists(path) else { return }
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // The ending tells many programs which format to write.
        let temporary = "\(folder)/.\(UInt32.random(in: 0...UInt32.max)).\((path as NSString).lastPathComponent)"
        defer { unlink(temporary) }
        _ = try await Shell.run(command, values: ["text": text, "voice": voice, "output": temporary], input: text)
        guard Files.exists(temporary) else { throw EvaluationError.invalid("the command wrote no file") }
        let reader = try AudioReader(.file(temporary))
        guard try !reader.read(maximumCount: 1).isEmpty else { throw EvaluationError.invalid("the command wrote a file without sound") }
        guard rename(temporary, path) == 0 else { throw RunFolderError.unwritable(path, reason: String(cString: strerror(errno))) }
    }
}

/// Spoken questions for data whose questions are in writing.
public enum SpeechFromText {
    public struct Settings: Sendable {
        public var jobs = 2
        /// Ending of the sound files, "wav".
        public var format = "wav"
        /// Also texts with letters that are not English.
        public var anyLanguage = false

        public init() {}
    }

    /// Speaks the last question of each sample and writes the data anew, `<speech>` in its place. What has been spoken stays, so that
    /// a run that ended early can be gone on with. Samples that have speech already are kept as they are.
    /// - Parameters:
    ///   - source: in the format of docs/training-data.md.
    ///   - folder: gets `data.jsonl` and `speech/`.
    public static func run(
        _ source: String, _ speech: SpeechCommand, into folder: String, settings: Settings = Settings(),
        onProgress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws -> PreparationResult {
        let samples = try objects(source)
        guard !samples.isEmpty else { throw EvaluationError.noItems(source) }
        var result = PreparationResult(path: "\(folder)/data.jsonl", items: 0)
        var plans: [(sample: Int, plan: Plan)] = []
        for (place, sample) in samples.enumerated() {
            do { plans.append((place, try Plan(sample, place, settings))) } catch let error as EvaluationError {
                result.leaveOut("unsuitable", error.localizedDescription)
            }
        }
        let spoken = try await speakAll(plans.map(\.plan), speech, folder, settings, onProgress)
        let file = try LinesFile(result.path)
        for (entry, error) in zip(plans, spoken) {
            if let error {
                result.leaveOut("not spoken", "\(entry.plan.name): \(error)")
            } else {
                try file.append(entry.plan.rewritten(samples[entry.sample]))
            }
        }
        result.items = file.count
        guard file.count > 0 else { throw EvaluationError.invalid("nothing could be spoken" + (result.problems.first.map { "; the first: \($0)" } ?? "")) }
        try file.commit()
        return result
    }

    /// Why each could not be spoken; nil where it was.
    private static func speakAll(
        _ plans: [Plan], _ speech: SpeechCommand, _ folder: String, _ settings: Settings, _ onProgress: @Sendable (Int, Int) -> Void
    ) async throws -> [String?] {
        var errors = [String?](repeating: nil, count: plans.count)
        try await withThrowingTaskGroup(of: (Int, String?).self) { group in
            var next = 0, done = 0
            func begin() {
                guard next < plans.count else { return }
                let (place, plan) = (next, plans[next])
                next += 1
                group.addTask {
                    do {
                        if let text = plan.text {
                            try await speech.speak(text, voice: speech.voice(for: plan.name), to: "\(folder)/\(plan.path)")
                        }
                        return (place, nil)
                    } catch is CancellationError {
                        throw CancellationError()
                    } catch {
                        return (place, error.localizedDescription)
                    }
                }
            }
            for _ in 0..<max(1, settings.jobs) { begin() }
            while let (place, error) = try await group.next() {
                try Task.checkCancellation()
                errors[place] = error
                done += 1
                onProgress(done, plans.count)
                begin()
            }
        }
        return errors
    }

    /// What becomes of a sample.
    private struct Plan: Sendable {
        let name: String
        /// What is spoken; nil for samples that stay as they are.
        let text: String?
        let path: String
        /// Place of the question in the conversation, and what it becomes.
        let turn: Int
        let question: String

        init(_ sample: [String: Any], _ place: Int, _ settings: Settings) throws {
            let id = (sample["id"] as? String) ?? (sample["id"] as? NSNumber).map { "\($0)" } ?? "\(place)"
            name = id
            path = "speech/" + id.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? String($0) : "_" }.joined() + ".\(settings.format)"
            guard let turns = sample["conversations"] as? [[String: Any]], turns.count >= 2,
                let last = turns.lastIndex(where: { $0["from"] as? String == "human" }), let value = turns[last]["value"] as? String
            else { throw EvaluationError.invalid("\(id): it has no conversation with a question") }
            turn = last
            guard sample["speech"] == nil, sample["long_speech"] == nil else {
                (text, question) = (nil, value)
                return
            }
            let markers = value.matches(of: /<(image|video)>/).map { String($0.output.0) }
            let bare = value.replacing(/\n?<(image|video)>\n?/, with: "")
            // Text read off a picture is not spoken.
            let parts = bare.split(separator: "\nReference OCR", maxSplits: 1, omittingEmptySubsequences: false)
            let words = SpeechFromText.speakable(String(parts[0]))
            guard !words.isEmpty else { throw EvaluationError.invalid("\(id): there is nothing to say") }
            guard settings.anyLanguage || words.unicodeScalars.allSatisfy(\.isASCII) else {
                throw EvaluationError.invalid("\(id): it has letters that are not English")
            }
            text = words
            question = (markers + ["<speech>"]).joined(separator: "\n") + (parts.count > 1 ? "\nReference OCR\(parts[1])" : "")
        }

        func rewritten(_ sample: [String: Any]) -> [String: Any] {
            guard let text, var turns = sample["conversations"] as? [[String: Any]] else { return sample }
            var sample = sample
            turns[turn]["value"] = question
            sample["conversations"] = turns
            (sample["speech"], sample["speech_asr"]) = (path, text)
            return sample
        }
    }

    /// A question as it is said: options by name, no line breaks.
    static func speakable(_ text: String) -> String {
        text.replacing(/\n\(?([A-F])[.)] ?/) { match in ". Option \(match.1): " }
            .replacing("\n", with: " ").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func objects(_ path: String) throws -> [[String: Any]] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw EvaluationError.unreadable(path: path, reason: "there is no such file")
        }
        if data.first(where: { ![0x20, 0x0A, 0x0D, 0x09].contains($0) }) == UInt8(ascii: "[") {
            guard let list = try? JSONSerialization.jsonObject(with: data) as? [[String: Any]] else {
                throw EvaluationError.unreadable(path: path, reason: "it is no JSON list of objects")
            }
            return list
        }
        return try data.split(separator: 0x0A).enumerated().map { number, line in
            guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else {
                throw EvaluationError.unreadable(path: "\(path):\(number + 1)", reason: "it is no JSON object")
            }
            return object
        }
    }
}
