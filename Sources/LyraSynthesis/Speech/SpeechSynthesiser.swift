// Text -> speech by espeak-ng, flite, festival, RHVoice and Pico, which are run as programs.
import Foundation
import LyraMedia

/// Speaks texts in batches. Each worker has its own, with a folder for the programs' output.
final class SpeechSynthesiser {
    private let folder: String

    /// - Throws: `SpeechSynthesisError.missing` unless the first three engines and their voices are installed, and what speaks
    ///   ``Voice/more`` if that is wanted.
    static func requireEngines(more: Bool = false) throws(SpeechSynthesisError) {
        var programs = [("espeak-ng", "espeak-ng"), ("flite", "flite"), ("festival", "festival")]
        var voices = [
            ("festival/voices/english/kal_diphone", "festvox-kallpc16k"), ("festival/voices/english/ked_diphone", "festvox-kdlpc16k"),
            ("festival/voices/us/cmu_us_slt_arctic_hts", "festvox-us-slt-hts"),
        ]
        if more {
            programs += [("RHVoice-test", "rhvoice"), ("pico2wave", "libttspico-utils")]
            voices += [
                ("RHVoice/voices/alan", "rhvoice-english"), ("festival/voices/english/don_diphone", "festvox-don"),
                ("festival/voices/english/rab_diphone", "festvox-rablpc16k"),
            ]
        }
        let missing =
            programs.filter { !Command.exists($0.0) }.map(\.1) + voices.filter { access("/usr/share/\($0.0)", F_OK) != 0 }.map(\.1)
        guard missing.isEmpty else { throw .missing(packages: missing) }
    }

    init() throws(SpeechSynthesisError) {
        var name = Array("\(NSTemporaryDirectory())/lyra-speech-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else {
            throw .failed(program: "mkdtemp", reason: String(cString: strerror(errno)))
        }
        folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// 16 kHz samples of each text, in order.
    func speak(_ texts: [SpokenText]) throws -> [[Float]] {
        if let empty = texts.first(where: { !$0.text.contains { $0.isLetter || $0.isNumber } }) {
            throw SpeechSynthesisError.silent(voice: empty.voice.name, text: empty.text)
        }
        let files = texts.indices.map { "\(folder)/\($0).wav" }
        defer { for file in files { unlink(file) } }
        // festival takes a while to begin: one run for all texts of a voice.
        let festival = Dictionary(grouping: texts.indices.filter { texts[$0].voice.engine == .festival }) { texts[$0].voice.speaker }
        for (speaker, indices) in festival.sorted(by: { $0.key < $1.key }) {
            try runFestival(speaker, indices.map { (texts[$0], files[$0]) })
        }
        return try texts.indices.map { index in
            let spoken = texts[index]
            switch spoken.voice.engine {
            case .espeak: try runEspeak(spoken, files[index])
            case .flite: try runFlite(spoken, files[index])
            case .rhvoice: try runRHVoice(spoken, files[index])
            case .pico: try runPico(spoken, files[index])
            case .festival: break
            }
            let samples: [Float]
            do {
                samples = Self.resized(try AudioReader.readAll(.file(files[index])), spoken.size)
            } catch {
                throw SpeechSynthesisError.silent(voice: spoken.voice.name, text: spoken.text)
            }
            return try Self.finish(samples, spoken)
        }
    }

    // MARK: Engines

    private func runEspeak(_ spoken: SpokenText, _ file: String) throws {
        try Command.run(
            "espeak-ng",
            [
                "-v", spoken.voice.speaker, "-s", "\(Int(165 * spoken.speed * spoken.size))", "-p", "\(Int(50 + 22 * spoken.pitch))", "-w", file,
                "--", spoken.text,
            ])
    }

    private func runFlite(_ spoken: SpokenText, _ file: String) throws {
        var arguments = ["-voice", spoken.voice.speaker, "--setf", "duration_stretch=\(1 / (spoken.speed * spoken.size))"]
        if spoken.pitch != 0 { arguments += ["--setf", "int_f0_target_mean=\(Self.flitePitch(spoken.voice.speaker) * (1 + 0.12 * spoken.pitch))"] }
        try Command.run("flite", arguments + ["-t", spoken.text, "-o", file])
    }

    /// Mean pitch of flite's speakers, in Hz.
    private static func flitePitch(_ speaker: String) -> Double {
        switch speaker {
        case "slt": 170
        case "awb": 120
        default: 105
        }
    }

    private func runFestival(_ speaker: String, _ texts: [(SpokenText, file: String)]) throws {
        var script = "(voice_\(speaker))\n"
        for (spoken, file) in texts {
            let text = spoken.text.replacing("\\", with: "").replacing("\"", with: "")
            script += "(Parameter.set 'Duration_Stretch \(1 / (spoken.speed * spoken.size)))\n"
            script += "(utt.save.wave (utt.synth (Utterance Text \"\(text)\")) \"\(file)\" 'riff)\n"
        }
        let file = "\(folder)/script.scm"
        do { try Data(script.utf8).write(to: URL(fileURLWithPath: file)) } catch {
            throw SpeechSynthesisError.failed(program: "festival", reason: error.localizedDescription)
        }
        try Command.run("festival", ["-b", file])
    }

    private func runRHVoice(_ spoken: SpokenText, _ file: String) throws {
        let text = "\(folder)/text.txt"
        do { try Data(spoken.text.utf8).write(to: URL(fileURLWithPath: text)) } catch {
            throw SpeechSynthesisError.failed(program: "RHVoice-test", reason: error.localizedDescription)
        }
        let rate = Int(100 * spoken.speed * spoken.size), pitch = Int(100 + 12 * spoken.pitch)
        try Command.run("RHVoice-test", ["-p", spoken.voice.speaker, "-r", "\(rate)", "-t", "\(pitch)", "-i", text, "-o", file])
    }

    private func runPico(_ spoken: SpokenText, _ file: String) throws {
        let text = spoken.text.replacing("&", with: "and").replacing("<", with: " ")
        let speed = Int(100 * spoken.speed * spoken.size), pitch = Int(100 + 12 * spoken.pitch)
        try Command.run(
            "pico2wave",
            ["-l", spoken.voice.speaker, "-w", file, "<speed level='\(speed)'><pitch level='\(pitch)'>\(text)</pitch></speed>"])
    }

    /// Plays what was said too fast by `size` at the pace that was wanted.
    private static func resized(_ samples: [Float], _ size: Double) -> [Float] {
        guard size != 1 else { return samples }
        var resampler = Resampler(from: 100, to: Int((100 * size).rounded()))
        return resampler.append(samples) + resampler.finish()
    }

    // MARK: Level and silence

    /// Cuts the silence around the speech, brings it to its level and puts the wanted silence around it.
    static func finish(_ samples: [Float], _ spoken: SpokenText) throws(SpeechSynthesisError) -> [Float] {
        let frame = 160
        let energies = stride(from: 0, to: samples.count, by: frame).map { start in
            let piece = samples[start..<min(start + frame, samples.count)]
            return piece.reduce(0) { $0 + $1 * $1 } / Float(piece.count)
        }
        let threshold = (energies.max() ?? 0) * 1e-4
        guard threshold > 1e-10, let first = energies.firstIndex(where: { $0 > threshold }),
            let last = energies.lastIndex(where: { $0 > threshold })
        else { throw .silent(voice: spoken.voice.name, text: spoken.text) }
        // A frame more on either side keeps soft beginnings and ends.
        var speech = Array(samples[(max(0, first - 2) * frame)..<min((last + 3) * frame, samples.count)])
        let power = speech.reduce(0) { $0 + $1 * $1 } / Float(speech.count)
        let peak = speech.reduce(0) { max($0, abs($1)) }
        let gain = min(Float(pow(10, spoken.level / 20)) / power.squareRoot(), 0.97 / peak)
        for i in speech.indices { speech[i] *= gain }
        func silence(_ seconds: Double) -> [Float] { [Float](repeating: 0, count: Int(seconds * 16_000)) }
        return silence(spoken.before) + speech + silence(spoken.after)
    }
}
