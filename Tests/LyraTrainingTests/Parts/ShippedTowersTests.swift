// What of nano ships: it fits, and it hears what nobody showed it, in recordings that were not made for it.
import Foundation
import LyraMedia
import LyraModel
@testable import LyraTraining
import Testing

@Suite struct ShippedTowersTests {
    private static let parts = DataPack.root + "/models/nano-towers"

    /// What scripts/make-examples has espeak-ng say, by the variable or file it goes to.
    private static func said() throws -> [String] {
        let script = try String(contentsOfFile: DataPack.root + "/scripts/make-examples", encoding: .utf8)
        return script.matches(of: /speak \S+ \d+ "([^"]+)"/).map { String($0.output.1) }
    }

    @Test func theSpeechEncoderSpellsWhatIsSaid() throws {
        let said = try Self.said()
        try #require(said.count == 10, "a question, eight parts of a recording, and what is said in a clip")
        let ears = try SpellingEncoder(tower: Self.parts + "/speech_encoder", head: Self.parts + "/spelling.safetensors")
        for (file, text, bound) in [("question.wav", said[0], 0.06), ("recording.ogg", said[1...8].joined(separator: " "), 0.2)] {
            var errors = ErrorRate()
            let sound = try AudioReader.readAll(.file("\(DataPack.root)/examples/\(file)"), sampleRate: LogMel.sampleRate)
            errors.add(heard: ears.transcribe(sound), said: text)
            print("\(file): letters wrong \(errors.cer), words wrong \(errors.wer)")
            #expect(errors.cer < bound)
        }
    }

    @Test func theOthersFitThePreset() throws {
        let nano = Preset.nano.configurations
        let tower = try WeightFiles.open(Self.parts + "/vision_tower"), see = Parameters(tower)
        _ = VisionTransformer(see, nano.vision, prefix: VisionTransformer.prefix(in: tower))
        try see.finish()
        let words = try WeightFiles.open(Self.parts + "/speech_words"), hear = Parameters(words)
        _ = WhisperEncoder(hear, nano.whisper, prefix: WhisperEncoder.prefix(in: words))
        try hear.finish()
        let read = Parameters(try WeightFiles.open(Self.parts + "/language"))
        _ = (Decoder(read, nano.language), SpeechProjector(read, nano.language))
        try read.finish()
    }
}
