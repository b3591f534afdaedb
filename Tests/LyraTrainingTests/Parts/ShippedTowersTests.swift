// What of nano ships: it hears what nobody showed it, in recordings that were not made for it.
import Foundation
import LyraMedia
import LyraModel
@testable import LyraTraining
import Testing

@Suite struct ShippedTowersTests {
    /// Sentences of scripts/make-examples, by espeak-ng's usual voices.
    @Test(arguments: [
        ("question.wav", 0.06, "What colour is the circle, and what does the sign say?"),
        ("recording.ogg", 0.2, """
            Good morning, and welcome to the weekly meeting of the garden society. We have a full programme, so let us begin with the report on \
            the tools. Thank you. The shed was opened in March. Since then twelve spades, four rakes and one ladder have been lent, and \
            everything has come back, except for a blue watering can. I believe the watering can stands behind the greenhouse. I saw it \
            there on Tuesday, next to the tomatoes. I will bring it back after this meeting. Before we go on, one announcement. The code for \
            the new lock on the gate is seven, four, one, nine. Please write it down, and do not tell it to the rabbits. Next is the \
            harvest. The apples are early this year. We expect about two hundred kilograms, which is thirty more than last year, and the \
            cider press is free from the ninth of September. The children of the village school have asked whether they may paint the \
            fence. The committee suggests yes, provided that it is not purple again. Then that is settled. Tea is served in the pavilion, \
            and there is lemon cake for everybody who helped with the hedge. Thank you all for coming. The next meeting is on the first \
            Friday of October, at half past six.
            """),
    ])
    func theSpeechEncoderSpellsWhatIsSaid(file: String, bound: Double, said: String) throws {
        let towers = "\(DataPack.root)/models/nano-towers"
        let ears = try SpellingEncoder(tower: towers + "/speech_encoder", head: towers + "/spelling.safetensors")
        var errors = ErrorRate()
        errors.add(heard: ears.transcribe(try AudioReader.readAll(.file("\(DataPack.root)/examples/\(file)"), sampleRate: LogMel.sampleRate)), said: said)
        print("\(file): letters wrong \(errors.cer), words wrong \(errors.wer)")
        #expect(errors.cer < bound)
    }

    @Test func theVisionTowerIsNanos() throws {
        let folder = "\(DataPack.root)/models/nano-towers/vision_tower"
        let source = try WeightFiles.open(folder), configuration = try VisionConfiguration.load(folder + "/config.json")
        let parameters = Parameters(source)
        _ = VisionTransformer(parameters, configuration, prefix: VisionTransformer.prefix(in: source))
        try parameters.finish()
        #expect(configuration == Preset.nano.configurations.vision)
    }
}
