// What context of growing length costs, with and without the extractor: the rows of the paper's Table 4a.
import Foundation
import Lyra
import LyraModel
import MLX

/// LMME(n, rho), or none.
struct BenchExtraction: Sendable, Equatable {
    var blocks: Int
    var keepRate: Float
    var name: String { "(\(blocks), \(keepRate))" }
    static let paper: [BenchExtraction?] = [nil, BenchExtraction(blocks: 4, keepRate: 0.8), BenchExtraction(blocks: 4, keepRate: 0.7)]
}

extension BenchRun {
    /// Text after the context: the question.
    private static let questionTokens = 32

    func contexts(_ results: inout BenchResults) async throws {
        let plan = plan
        for length in plan.contexts {
            for extraction in BenchExtraction.paper {
                let name = extraction?.name ?? "no extractor"
                let (prefill, decode, memory, cache) = try await step("a context of \(length), \(name)") { model in
                    Memory.clearCache()
                    Machine.resetPeakMemory()
                    // Long contexts take minutes; a second run would not tell more.
                    let runs = length > 4_096 ? 1 : plan.runs
                    let extractor = extraction.map {
                        ExtractorOptions(blocks: $0.blocks, keepRate: $0.keepRate, layers: model.configuration.layers)
                    }
                    let input = Self.context(model, length)
                    var prefills: [Double] = [], decodes: [Double] = [], cache = 0
                    for _ in 0..<runs {
                        var state = model.decoder.newState()
                        var began = ContinuousClock.now
                        var hidden = try model.decoder(input, state: &state, adapter: plan.adapter, extractor: extractor) { _ in
                            try Task.checkCancellation()
                        }.hidden
                        model.decoder.logits(hidden).eval()
                        prefills.append((ContinuousClock.now - began) / .seconds(1))
                        began = .now
                        hidden = try Self.write(plan.tokens, after: hidden, model, &state, plan.adapter)
                        decodes.append((ContinuousClock.now - began) / .seconds(1) / Double(plan.tokens))
                        cache = state.bytes
                    }
                    return (Statistics.median(prefills), Statistics.median(decodes), Machine.peakMemory, cache)
                }
                results.addContext(
                    length: length, extractor: extraction?.name, prefill: prefill, tokensPerSecond: 1 / decode, memory: memory, cache: cache)
            }
        }
    }

    /// Context tokens, then a question.
    private static func context(_ model: LyraModel, _ length: Int) -> Decoder.Input {
        var input = input(model, length + questionTokens)
        input.isContext = (0..<(length + questionTokens)).map { $0 < length }
        input.embeddings.eval()
        return input
    }

    /// Writes tokens greedily.
    static func write(
        _ count: Int, after hidden: MLXArray, _ model: LyraModel, _ state: inout DecoderState, _ adapter: Adapter?
    ) throws -> MLXArray {
        var hidden = hidden
        for _ in 0..<count {
            try Task.checkCancellation()
            let token = argMax(model.decoder.logits(hidden), axis: -1).asType(.int32).asArray(Int32.self).first ?? 0
            var positions = Positions(startingAt: state.nextPosition)
            positions.appendRun(1)
            let input = Decoder.Input(embeddings: model.decoder.embed([token]), positions: positions, isContext: [false])
            var states = [state.take()]
            hidden = model.decoder([input], states: &states, adapter: adapter)[0]
            hidden.eval()
            state = states.removeLast()
        }
        return hidden
    }
}

extension BenchResults {
    struct ContextRow {
        var length: Int
        var extractor: String?
        var prefill, tokensPerSecond: Double
        var memory, cache: Int
    }

    mutating func addContext(length: Int, extractor: String?, prefill: Double, tokensPerSecond: Double, memory: Int, cache: Int) {
        contexts.append(
            ContextRow(
                length: length, extractor: extractor, prefill: prefill, tokensPerSecond: tokensPerSecond, memory: memory, cache: cache))
        let stem = "context_\(length)_" + (extractor.map { $0.filter { $0.isNumber || $0 == "." || $0 == "," }.replacingOccurrences(of: ",", with: "_") } ?? "off")
        note("\(stem)_prefill_seconds", prefill)
        note("\(stem)_tokens_per_second", tokensPerSecond)
        note("\(stem)_memory_bytes", Double(memory))
        note("\(stem)_cache_bytes", Double(cache))
    }

    /// As the paper prints it: a column a length, lines for the settings.
    var contextTable: [String] {
        let lengths = contexts.map(\.length).reduce(into: [Int]()) { if !$0.contains($1) { $0.append($1) } }
        let settings = contexts.map(\.extractor).reduce(into: [String?]()) { if !$0.contains($1) { $0.append($1) } }
        guard !lengths.isEmpty else { return [] }
        func rows(_ title: String, _ value: (ContextRow) -> String) -> [[String]] {
            settings.map { setting in
                ["\(title), \(setting ?? "no extractor")"]
                    + lengths.map { length in contexts.first { $0.length == length && $0.extractor == setting }.map(value) ?? "" }
            }
        }
        let table =
            [["context tokens"] + lengths.map(String.init)] + rows("prefill s") { Self.number($0.prefill) }
            + rows("tokens/s") { Self.number($0.tokensPerSecond) } + rows("peak memory") { Bytes.text($0.memory) }
            + rows("caches") { Bytes.text($0.cache) }
        return [""] + Columns.lines(table, right: Set(1...lengths.count))
    }
}
