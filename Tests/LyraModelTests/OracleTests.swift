// Every inference group of the reference packs, in float32, within the tolerances of the packs' index.
import Foundation
import LyraMedia
@testable import LyraModel
import MLX
import Testing

@Suite(.serialized) struct OracleTests {
    @Test(arguments: OraclePack.available.map(\.name)) func agreesWithTheOriginal(pack name: String) throws {
        let found = try #require(OraclePack.available.first { $0.name == name })
        let pack = try OraclePack(found.name, folder: found.folder)
        let run = try OracleRun(pack)
        try run.numbers()
        try run.audio()
        try run.images()
        try run.video()
        try run.sampling()
        try run.cases()
        try run.extractor()
        pack.report()
    }
}

/// One pack's model and the checks on it.
final class OracleRun {
    let pack: OraclePack
    let model: LyraModel
    var json: JSON { pack.json }
    /// Encoder frames of all windows, by name of the audio.
    private var frames: [String: MLXArray] = [:]
    private var pictures: [String: EncodedMedium] = [:]
    let exact = 1e-3

    init(_ pack: OraclePack, precision: Precision = .f32) throws {
        self.pack = pack
        let (location, configuration) = try ModelLocation.resolve(pack.path("MODEL"))
        model = try LyraModel(location, configuration, precision: precision)
    }

    func numbers() throws {
        for entry in json["smart_resize"].list {
            let size = try ImageGeometry.smartResize(
                PixelSize(height: entry["h"].int ?? 0, width: entry["w"].int ?? 0),
                minimumPixels: model.imageProcessor.minimumPixels, maximumPixels: model.imageProcessor.maximumPixels)
            pack.equal("size and frame rules", "smart_resize", [size.height, size.width], entry["out"].ints)
        }
        for entry in json["smart_nframes"].list {
            let total = entry["total_frames"].int ?? 0
            let count = try ImageGeometry.frameCount(
                total: total, framesPerSecond: entry["fps"].double ?? 0, maximum: entry["max_frames"].int)
            pack.equal("size and frame rules", "smart_nframes", count, entry["nframes"].int ?? -1)
            pack.equal(
                "size and frame rules", "frame indices", ImageGeometry.frameIndices(total: total, count: count),
                entry["indices"].ints)
        }
        for entry in json["video_smart_resize"].list {
            let frames = entry["nframes"].int ?? 0
            pack.equal(
                "size and frame rules", "video pixels", ImageGeometry.maximumFramePixels(frames: frames),
                entry["max_pixels"].int ?? -1)
            let size = try ImageGeometry.smartResize(
                PixelSize(height: entry["h"].int ?? 0, width: entry["w"].int ?? 0), minimumPixels: 28 * 28 * 4,
                maximumPixels: entry["max_pixels"].int ?? 0)
            pack.equal("size and frame rules", "video size", [size.height, size.width], entry["out"].ints)
        }
    }

    // MARK: Encoders

    private func samples(_ name: String) throws -> [Float] {
        let parts = name == "long" ? json["audio"]["long_is_concatenation_of"].list.compactMap(\.string) : [name]
        return try parts.flatMap {
            try AudioReader.readAll(.file("\(pack.folder)/inputs/\($0).wav"), channels: .first)
        }
    }

    func audio() throws {
        let windowSamples = model.logMel.windowSamples
        for (count, windows) in json["audio"]["window_rule"].object {
            pack.equal("audio: window rule", count, (Int(count) ?? 0) / windowSamples + 1, windows.int ?? -1)
        }
        let silence = model.logMel([Float]()).asArray(Float.self)
        pack.close("audio: empty window", "silence", silence, silence.map { _ in -1.5 }, tolerance: 1e-6)
        for (name, entry) in json["audio"].object where entry["windows_out"].exists {
            let wave = try samples(name)
            pack.equal("audio: decoding", "\(name) samples", wave.count, entry["samples"].int ?? -1)
            pack.close(
                "audio: decoding", "\(name) sum", [Float(wave.reduce(0.0) { $0 + Double($1) })],
                [Float(entry["wav_sum"].double ?? .nan)], tolerance: 1e-2)
            var windows: [MLXArray] = []
            for (i, expected) in entry["windows_out"].list.enumerated() {
                let mel = model.logMel(wave.dropFirst(i * windowSamples).prefix(windowSamples))
                try pack.close("audio: log-mel", "\(name) \(i)", mel.T, expected["mel_T"], tolerance: 2e-4)
                let hidden = try model.encodeWindow(mel)
                try pack.close("audio: Whisper encoder", "\(name) \(i)", hidden, expected["encoder"], tolerance: exact)
                for (key, adapter) in [("base", Adapter?.none), ("speech", .speech), ("long_speech", .longSpeech)] {
                    try pack.close(
                        "audio: projector", "\(name) \(i) \(key)", model.project(hidden, adapter: adapter),
                        expected["projector_\(key)"], tolerance: exact)
                }
                windows.append(hidden)
            }
            frames[name] = concatenated(windows, axis: 0)
        }
    }

    private func encode(_ path: String, size: PixelSize?) throws -> (Patches, EncodedMedium) {
        var picture = try ImageReader.read(.file(path))
        let original = PixelSize(height: picture.height, width: picture.width)
        if let changed = ImageGeometry.releasePreprocess(original) {
            picture = picture.resizedNearest(width: changed.width, height: changed.height)
        }
        let target = try size ?? ImageGeometry.smartResize(
            PixelSize(height: picture.height, width: picture.width), minimumPixels: model.imageProcessor.minimumPixels,
            maximumPixels: model.imageProcessor.maximumPixels)
        if size == nil { picture = picture.resized(width: target.width, height: target.height) }
        let patches = Patches(
            frames: [picture.pixels], size: target, vision: try model.visionConfiguration(), processor: model.imageProcessor)
        return (patches, try model.encode(patches))
    }

    func images() throws {
        for (name, entry) in json["image"].object {
            let resized = entry["resized_png"].string
            let hw = entry["resized_hw"].ints
            // A picture of another size: from the original's resized pixels tightly, and through our resizing too.
            let (patches, medium) = try encode(
                "\(pack.folder)/\(resized ?? entry["file"].string ?? "")",
                size: resized == nil ? nil : PixelSize(height: hw[0], width: hw[1]))
            pictures[name] = medium
            pack.equal(
                "image: grid", name, [patches.grid.time, patches.grid.height, patches.grid.width], entry["grid_thw"][0].ints)
            try pack.close("image: pixel values", name, patches.values, entry["pixel_values"], tolerance: 1e-5)
            guard case .vision(let tokens, _) = medium else { continue }
            try pack.close("image: vision tower", name, tokens, entry["vit"], tolerance: exact)
            if resized != nil {
                let (own, _) = try encode("\(pack.folder)/\(entry["file"].string ?? "")", size: nil)
                pack.close(
                    "image: own resizing", name, own.values.asArray(Float.self), patches.values.asArray(Float.self),
                    tolerance: 0.0151)
            }
        }
    }

    func video() throws {
        let entry = json["video"]
        let tchw = entry["resized_tchw"].ints
        let size = PixelSize(height: tchw[2], width: tchw[3])
        let frames = try entry["resized_pngs"].list.map {
            try ImageReader.read(.file("\(pack.folder)/\($0.string ?? "")")).pixels
        }
        let patches = Patches(
            frames: frames, size: size, vision: try model.visionConfiguration(), processor: model.imageProcessor)
        try pack.close("video: pixel values", "frames", patches.values, entry["pixel_values_videos"], tolerance: 0.0151)
        let medium = try model.encode(patches)
        pictures["video"] = medium
        guard case .vision(let tokens, _) = medium else { return }
        try pack.close("video: vision tower", "tokens", tokens, entry["vit"], tolerance: exact)
    }

    func sampling() throws {
        let logits = try pack.tensors.array(named: json["sampling"]["logits"].string ?? "").asArray(Float.self)
        for setting in json["sampling"]["settings"].list {
            let options = SamplingOptions(
                temperature: Float(setting["temperature"].double ?? 1), topK: setting["top_k"].int ?? 0,
                topP: Float(setting["top_p"].double ?? 1))
            let survivors = Sampler.candidates(logits, options)
            pack.equal("sampling", "survivors", survivors.count, setting["surviving"].int ?? -1)
            let ids = setting["top_ids"].ids
            pack.equal("sampling", "ids", survivors.prefix(ids.count).map(\.token), ids)
            pack.close(
                "sampling", "probabilities", survivors.prefix(ids.count).map(\.probability),
                setting["top_probabilities"].list.map { Float($0.double ?? .nan) }, tolerance: 1e-5)
        }
    }

    // MARK: Generation

    func media(_ entry: JSON, setting: String) -> [EncodedMedium] {
        var media: [EncodedMedium] = []
        // The compatible second turn encodes a picture but has no placeholder for it.
        if entry["input_ids"].ids.contains(Marker.image) {
            if let name = entry["image"].string, let picture = pictures[name] { media.append(picture) }
            if (entry["video"].value as? NSNumber)?.boolValue == true, let video = pictures["video"] { media.append(video) }
        }
        if let name = entry["audio"].string, let windows = frames[name] {
            let projector: Adapter? = setting == "off" ? nil : setting == "long_speech" ? .longSpeech : .speech
            media.append(.speech(tokens: model.project(windows, adapter: projector)))
        }
        return media
    }

    func adapter(_ setting: String) -> Adapter? {
        setting == "speech" ? .speech : setting == "long_speech" ? .longSpeech : nil
    }

    func cases() throws {
        for (name, entry) in json["cases"].object {
            for (setting, expected) in entry["runs"].object {
                var state = model.decoder.newState()
                let (input, _) = try model.decoder.assemble(
                    entry["input_ids"].ids, media: media(entry, setting: setting), after: state)
                pack.equal("cases: length", "\(name) \(setting)", input.positions.count, entry["length"].int ?? -1)
                if entry["position_ids"].exists {
                    try pack.close(
                        "cases: positions", "\(name) \(setting)", input.positions.array, entry["position_ids"], tolerance: 0)
                }
                if let delta = entry["rope_delta"][0].int {
                    pack.equal(
                        "cases: rope delta", "\(name) \(setting)", Int(input.positions.next) - input.positions.count, delta)
                }
                try pack.close("cases: embeddings", "\(name) \(setting)", input.embeddings, expected["embeds"], tolerance: exact)
                let run = try greedy(input, &state, adapter: adapter(setting), extractor: nil)
                try check(run, "cases", "\(name) \(setting)", expected)
                if expected["generator_hidden"].exists {
                    try pack.close(
                        "cases: generator states", "\(name) \(setting)", run.hidden, expected["generator_hidden"], tolerance: exact)
                }
                if expected["speech_generation"].exists {
                    try speech(run.hidden, "\(name) \(setting)", expected["speech_generation"])
                }
                let frames = expected["ctc_argmax_first_frames"].ids
                if !frames.isEmpty {
                    let generator = try model.speechGenerator()
                    var memory = generator.newState()
                    let classes = generator.units(run.hidden, state: &memory).classes
                    pack.equal("cases: first frames", "\(name) \(setting)", Array(classes.prefix(frames.count)), frames)
                }
            }
        }
    }

    struct Run {
        var ids: [Int32] = []
        var firstLogits = MLXArray.zeros([0])
        var topLogits: [Float] = []
        var topIDs: [[Int32]] = []
        var hidden = MLXArray.zeros([0])
        var extractions: [Extraction] = []
        var prefillLengths: [Int] = []
    }

    private func greedy(_ input: Decoder.Input, _ state: inout DecoderState, adapter: Adapter?, extractor: ExtractorOptions?) throws -> Run {
        let ends = Set(json["generate_arguments"]["eos_token_id"].ids)
        var run = Run(), states: [MLXArray] = []
        var (hidden, extractions) = try model.decoder(input, state: &state, adapter: adapter, extractor: extractor)
        run.extractions = extractions
        run.prefillLengths = state.lengths
        for step in 0..<(json["generate_arguments"]["max_new_tokens"].int ?? 24) {
            let logits = model.decoder.logits(hidden)
            if step == 0 { run.firstLogits = logits }
            let values = logits.asArray(Float.self)
            let best = values.indices.sorted { values[$0] > values[$1] }.prefix(5)
            run.topIDs.append(best.map(Int32.init))
            run.topLogits += best.map { values[$0] }
            states.append(hidden)
            let token = Int32(best[0])
            run.ids.append(token)
            if ends.contains(token) || step == 23 { break }
            var positions = Positions(startingAt: state.nextPosition)
            positions.appendRun(1)
            let next = Decoder.Input(embeddings: model.decoder.embed([token]), positions: positions, isContext: [false])
            hidden = try model.decoder(next, state: &state, adapter: adapter).hidden
        }
        run.hidden = concatenated(states, axis: 0)
        return run
    }

    private func check(_ run: Run, _ group: String, _ what: String, _ expected: JSON) throws {
        try pack.close("\(group): first logits", what, run.firstLogits, expected["prefill_logits"], tolerance: exact)
        pack.equal("\(group): greedy ids", what, run.ids, expected["greedy_ids"].ids)
        let ids = expected["step_top5_ids"].list.map(\.ids)
        // Only places whose logits are further apart than the tolerance have a defined order.
        pack.equal("\(group): top id of each step", what, run.topIDs.map { $0[0] }, ids.map { $0[0] })
        try pack.close(
            "\(group): top-5 logits", what, MLXArray(run.topLogits, [run.ids.count, 5]), expected["step_top5_logits"],
            tolerance: exact)
    }

    private func speech(_ hidden: MLXArray, _ what: String, _ expected: JSON) throws {
        let generator = try model.speechGenerator(), vocoder = try model.vocoder()
        var state = generator.newState()
        let logits = generator.logits(hidden, state: &state)
        try pack.close("speech: frame scores", what, logits, expected["ctc_logits"], tolerance: exact)
        let classes = argMax(logits, axis: -1).asType(.int32).asArray(Int32.self)
        pack.equal("speech: frame classes", what, classes, expected["ctc_argmax"].ids)
        var last: Int32?
        let units = generator.collapse(classes, after: &last)
        pack.equal("speech: units", what, units, expected["units"].ids)
        if expected["log_duration"].exists, let log = vocoder.logDurations(units) {
            try pack.close("speech: log durations", what, log, expected["log_duration"], tolerance: exact)
        }
        pack.equal("speech: durations", what, vocoder.durations(units), expected["durations"].ints)
        let wave = vocoder(units)
        try pack.close("speech: waveform", what, MLXArray(wave, [wave.count]), expected["waveform"], tolerance: exact)
        let head = Array(units.prefix(12))
        let plain = vocoder(head, durations: head.map { _ in 1 })
        try pack.close(
            "speech: waveform without durations", what, MLXArray(plain, [plain.count]),
            expected["waveform_no_duration_first12_units"], tolerance: exact)
        // One token at a time: the same units after every step, and the same sound in chunks.
        state = generator.newState()
        var streaming = StreamingVocoder(vocoder, firstChunk: 2, laterChunk: 5)
        var streamed: [Float] = [], perStep: [[Int32]] = []
        for row in 0..<hidden.dim(0) {
            let new = generator.units(hidden[row ..< (row + 1)], state: &state).units
            perStep.append(new)
            streamed += streaming.append(new)
        }
        streamed += streaming.finish()
        pack.equal("speech: units while streaming", what, perStep, expected["streaming"]["new_units_per_step"].list.map(\.ids))
        pack.equal("speech: durations while streaming", what, streaming.durations, expected["durations"].ints)
        pack.close("speech: streamed waveform", what, streamed, wave, tolerance: exact)
    }

    func extractor() throws {
        for (name, entry) in json["extractor"]["cases"].object {
            for expected in entry["runs"].list {
                let options = ExtractorOptions(
                    gap: expected["compress_gap"].int ?? 0, keepRate: Float(expected["keep_rate"].double ?? 0))
                let setting = entry["cli_adapter"].string ?? "off"
                let what = "\(name) (\(options.gap), \(options.keepRate))"
                var state = model.decoder.newState()
                let (input, _) = try model.decoder.assemble(
                    entry["input_ids"].ids, media: media(entry, setting: setting), after: state)
                let run = try greedy(input, &state, adapter: adapter(setting), extractor: options)
                let layers = expected["compress_layers"].list
                pack.equal("extractor: layers", what, run.extractions.map(\.layer), layers.compactMap { $0["after_layer_index"].int })
                for (extraction, layer) in zip(run.extractions, layers) {
                    pack.equal("extractor: survivors", what, extraction.survivors, layer["surviving_original_indices"].ids)
                    pack.equal("extractor: context before", what, extraction.candidates.count, layer["context_before"].int ?? -1)
                    if layer["scores_of_context_tokens"].exists {
                        // Scores are averages of probabilities; noise of 5e-5 of the largest is float32's.
                        let largest = Double(extraction.scores.max() ?? 1)
                        try pack.close(
                            "extractor: scores", what, MLXArray(extraction.scores, [extraction.scores.count]), layer["scores_of_context_tokens"],
                            tolerance: 5e-5 * largest)
                    }
                }
                pack.equal("extractor: cache lengths", what, run.prefillLengths, expected["kv_length_per_layer_after_prefill"].ints)
                pack.equal("extractor: final cache lengths", what, state.lengths, expected["kv_length_per_layer_at_end"].ints)
                try check(run, "extractor", what, expected)
            }
        }
        let plain = json["extractor"]["image_text_without_compression"]
        let entry = json["extractor"]["cases"]["image_text"]
        var state = model.decoder.newState()
        let (input, _) = try model.decoder.assemble(entry["input_ids"].ids, media: media(entry, setting: "off"), after: state)
        let run = try greedy(input, &state, adapter: nil, extractor: ExtractorOptions(gap: 33, keepRate: 1))
        pack.equal("extractor: switched off", "ids", run.ids, plain["greedy_ids"].ids)
        try pack.close("extractor: switched off", "logits", run.firstLogits, plain["prefill_logits"], tolerance: exact)
    }
}
