// The parts of a checkpoint whose weights training can change, and how their tensors are named across parts.
import Foundation
import LyraModel

/// A part of a checkpoint with files of its own. A parameter's full name is the part's name, "/", and the tensor's name
/// in the checkpoint, e.g. `model/model.layers.0.mlp.up_proj.weight`.
public enum ModelPart: String, CaseIterable, Sendable, Codable {
    /// The language model, the base speech projector and the speech generator.
    case model
    /// The vision tower.
    case vision
    /// The speech encoder.
    case whisper
    /// Adapters with their projectors.
    case speechAdapter = "speech_lora"
    case longSpeechAdapter = "long_speech_lora"

    init(_ adapter: Adapter) { self = adapter == .speech ? .speechAdapter : .longSpeechAdapter }

    /// The adapter whose weights these are.
    public var adapter: Adapter? {
        switch self {
        case .speechAdapter: .speech
        case .longSpeechAdapter: .longSpeech
        default: nil
        }
    }

    func fullName(_ tensor: String) -> String { "\(rawValue)/\(tensor)" }

    /// Part and tensor of a full name.
    static func split(_ name: String) -> (part: ModelPart, tensor: String)? {
        guard let slash = name.firstIndex(of: "/"), let part = ModelPart(rawValue: String(name[..<slash])) else { return nil }
        return (part, String(name[name.index(after: slash)...]))
    }
}

/// A pattern over full parameter names: `*` stands for any run of characters.
public struct NamePattern: Sendable, Hashable, Codable, ExpressibleByStringLiteral {
    public let text: String
    public init(_ text: String) { self.text = text }
    public init(stringLiteral value: String) { text = value }
    public init(from decoder: any Swift.Decoder) throws { text = try decoder.singleValueContainer().decode(String.self) }
    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    public func matches(_ name: String) -> Bool {
        let pieces = text.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
        var rest = Array(name.utf8)[...]
        guard let first = pieces.first, rest.starts(with: first) else { return false }
        rest = rest.dropFirst(first.count)
        guard pieces.count > 1, let last = pieces.last else { return rest.isEmpty }
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            // The earliest place leaves most for what follows.
            guard let place = rest.indices.first(where: { rest[$0...].starts(with: piece) }) else { return false }
            rest = rest[(place + piece.count)...]
        }
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }
}
