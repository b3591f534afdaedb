// Arguments: what is understood, what is refused and how.
import ArgumentParser
import Foundation
import Lyra
@testable import LyraCommand
import LyraModel
import Testing

@Suite struct ArgumentTests {
    private func parse<Command: ParsableCommand>(_ type: Command.Type, _ line: String) throws -> Command {
        let command = try LyraCommand.parseAsRoot(line.split(separator: " ").map(String.init))
        return try #require(command as? Command)
    }

    @Test func askUnderstandsEverything() throws {
        let ask = try parse(
            AskCommand.self,
            "ask --model M --image a.png --image b.jpg --video v.mp4 --video-audio --speech s.wav --text hello --speak out.mp3 "
                + "--max-tokens 9 --temperature 0.5 --top-p 0.9 --top-k 40 --seed 3 --extract 4,0.7 --max-frames 8 --precision f32 "
                + "--adapter long_speech --compat --json --trace t.safetensors --evidence e.svg --vision-tower V --speech-tower S "
                + "--vocoder G --verbose")
        #expect(ask.question.image == ["a.png", "b.jpg"])
        #expect(ask.question.videoAudio)
        #expect((ask.output.speak, ask.output.trace, ask.output.evidence, ask.output.json) == ("out.mp3", "t.safetensors", "e.svg", true))
        #expect(ask.reply.extract == ExtractArgument(argument: "4,0.7"))
        #expect(ask.reply.adapter == .longSpeech)
        #expect(ask.model.precision == .f32)
        #expect((ask.model.visionTower, ask.model.speechTower, ask.model.vocoder) == ("V", "S", "G"))
        let options = try ask.reply.options(layers: 28)
        #expect(options.extractor == ExtractorOptions(gap: 7, keepRate: 0.7))
        #expect(options.sampling == SamplingOptions(temperature: 0.5, topK: 40, topP: 0.9, seed: 3))
        #expect(options.maximumFrames == 8)
    }

    @Test func extractorByLayers() throws {
        let ask = try parse(AskCommand.self, "ask --text x --compress-gap 2 --keep-rate 0.5")
        try ask.reply.check()
        #expect(try ask.reply.extractor(layers: 6) == ExtractorOptions(gap: 2, keepRate: 0.5))
        #expect(throws: UsageError.self) { try ask.reply.extractor(layers: 2) }
    }

    @Test(arguments: [
        "--max-tokens 0", "--temperature=-1", "--top-p 0", "--top-p 1.5", "--top-k=-1", "--extract 1,0.5", "--extract 4,0",
        "--extract 4,1.1", "--compress-gap 3", "--keep-rate 0.5", "--compress-gap 0 --keep-rate 0.5", "--max-frames 1",
        "--extract 4,0.5 --keep-rate 0.5",
    ])
    func valuesOutOfRangeAreRefused(flags: String) throws {
        let ask = try parse(AskCommand.self, "ask --text x " + flags)
        #expect(throws: UsageError.self) { try ask.reply.check() }
    }

    @Test(arguments: ["ask --extract four", "ask --precision f64", "ask --adapter both", "ask --nonsense", "new --preset huge D", "new D"])
    func malformedArgumentsAreUsageErrors(line: String) {
        #expect {
            _ = try LyraCommand.parseAsRoot(line.split(separator: " ").map(String.init))
        } throws: {
            LyraCommand.exitCode(for: $0).rawValue == 64
        }
    }

    @Test func otherCommands() throws {
        let transcribe = try parse(TranscribeCommand.self, "transcribe a.wav b.mp3 --timestamps --format srt --output D --window 12")
        #expect(transcribe.files == ["a.wav", "b.mp3"])
        #expect(transcribe.format == .srt)
        let new = try parse(NewCommand.self, "new --preset tiny --seed 5 D --dtype f16 --tokenizer T")
        #expect((new.preset, new.seed, new.dtype) == (.tiny, 5, .f16))
        let bench = try parse(BenchCommand.self, "bench --preset mini --repeat 5 --only prefill,decode --lengths 8,16")
        let plan = try BenchPlan(bench)
        #expect(plan.stages == [.prefill, .decode])
        #expect(plan.lengths == [8, 16])
        #expect(throws: UsageError.self) { try BenchPlan(try parse(BenchCommand.self, "bench --preset mini --only everything")) }
        let inspect = try parse(InspectCommand.self, "inspect M --tensors --check --json")
        #expect(inspect.tensors && inspect.check && inspect.json)
        #expect(try parse(ChatCommand.self, "chat --model M --speak r.wav").speak == "r.wav")
    }

    /// All that do something themselves.
    private static let commands = LyraCommand.configuration.subcommands.flatMap { command in
        command.configuration.subcommands.isEmpty ? [command] : command.configuration.subcommands
    }

    @Test func helpTellsAll() {
        for command in Self.commands {
            let help = LyraCommand.helpMessage(for: command, columns: 80), name = command.configuration.commandName ?? ""
            let example = help.range(of: "\n  lyra ([a-z]+ )?\(name)[ \n]", options: .regularExpression)
            #expect(help.contains("Examples:") && example != nil && help.contains("USAGE"), "\(name)")
            // Wrapped examples would not run.
            for line in help.split(separator: "\n") { #expect(line.count <= 80 || line.hasPrefix("USAGE"), "\(line)") }
        }
    }

    @Test func everyOptionHasHelp() {
        for command in Self.commands {
            let lines = LyraCommand.helpMessage(for: command, columns: 80).split(separator: "\n", omittingEmptySubsequences: false)
            for (line, next) in zip(lines, lines.dropFirst()) where line.hasPrefix("  -") {
                let explained = line.dropFirst(26).contains { !$0.isWhitespace } || next.hasPrefix("                          ")
                #expect(explained, "\(command.configuration.commandName ?? ""): \(line)")
            }
        }
    }

    @Test func sizes() {
        #expect(ByteSize(argument: "5GB")?.bytes == 5_000_000_000)
        #expect(ByteSize(argument: "1.5 mb")?.bytes == 1_500_000)
        #expect(ByteSize(argument: "2000")?.bytes == 2_000)
        for wrong in ["", "GB", "-1GB", "many", "0", "nan", "1e30TB"] { #expect(ByteSize(argument: wrong) == nil, "\(wrong)") }
    }

    @Test func slashCommands() {
        #expect(ChatLine("hello / there") == .message("hello / there"))
        #expect(ChatLine("  /image  my picture.png ") == .image("my picture.png"))
        #expect(ChatLine("/image 'my picture.png'") == .image("my picture.png"))
        #expect(ChatLine("/image my\\ picture.png") == .image("my picture.png"))
        #expect(ChatLine("/speak off") == .speak(nil))
        #expect(ChatLine("/speak") == .speak("reply.wav"))
        #expect(ChatLine("/speak a.mp3") == .speak("a.mp3"))
        #expect(ChatLine("/extract 4,0.5") == .extract(ExtractArgument(argument: "4,0.5")))
        #expect(ChatLine("/extract off") == .extract(nil))
        #expect(ChatLine("/quit") == .quit)
        #expect(ChatLine("/usr/bin is a folder") == .message("/usr/bin is a folder"))
        for wrong in ["/image", "/nonsense", "/extract much", "/system", "/save"] {
            if case .unknown = ChatLine(wrong) { continue }
            Issue.record("\(wrong) was understood as \(ChatLine(wrong))")
        }
    }
}
