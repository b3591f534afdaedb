// Every stage of one request as named tensors, for comparing implementations.
import Foundation
import MLX
import Synchronization

/// Collects the stages of a request. Names: `mel`, `speech_encoder`, `speech_tokens`, `pixel_values`, `grid_thw`,
/// `vision_tokens`, `input_ids`, `position_ids`, `inputs_embeds`, `logits`, `generated_ids`, `hidden_states`, `ctc_argmax`,
/// `units`, `durations`, `waveform`, `survivors.L`, `scores.L`, `kv_lengths`.
///
/// Values are copied out of the graph as they are recorded, so a trace may leave the model's actor.
public final class Trace: Sendable {
    enum Value: Sendable {
        case floats([Float], [Int])
        case integers([Int32], [Int])
    }
    private let values = Mutex<[String: Value]>([:])

    public init() {}

    func record(_ name: String, _ array: MLXArray) {
        let value: Value =
            array.dtype.isFloatingPoint
            ? .floats(array.asArray(Float.self), array.shape) : .integers(array.asArray(Int32.self), array.shape)
        values.withLock { $0[name] = value }
    }

    /// Adds rows to what was recorded before under the name.
    func append(_ name: String, _ array: MLXArray) {
        let rows = array.asArray(Float.self), shape = array.shape
        values.withLock {
            guard case .floats(let old, let oldShape) = $0[name], oldShape.dropFirst() == shape.dropFirst() else {
                $0[name] = .floats(rows, shape)
                return
            }
            $0[name] = .floats(old + rows, [oldShape[0] + shape[0]] + shape.dropFirst())
        }
    }

    func record(_ name: String, _ numbers: [Int32], _ shape: [Int]? = nil) {
        values.withLock { $0[name] = .integers(numbers, shape ?? [numbers.count]) }
    }

    func record(_ name: String, _ numbers: [Float]) {
        values.withLock { $0[name] = .floats(numbers, [numbers.count]) }
    }

    /// Names recorded so far.
    public var names: [String] { values.withLock { $0.keys.sorted() } }

    /// The recorded tensors.
    public func arrays() -> [String: MLXArray] {
        values.withLock { $0 }.mapValues {
            switch $0 {
            case .floats(let values, let shape): MLXArray(values, shape)
            case .integers(let values, let shape): MLXArray(values, shape)
            }
        }
    }

    /// Writes all as safetensors (float32 and int32), atomically.
    public func write(to path: String) throws {
        try SafetensorsWriter.save(arrays(), to: URL(fileURLWithPath: path))
    }
}
