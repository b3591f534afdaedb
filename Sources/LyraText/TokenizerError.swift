// What can be wrong with a tokenizer's files or with a request to it.
import Foundation

/// Why a tokenizer could not be loaded or a prompt not be built.
public enum TokenizerError: Error, LocalizedError, Equatable {
    /// The directory holds neither `vocab.json` with `merges.txt` nor `tokenizer.json`.
    case noTokenizer(directory: String)
    case unreadable(file: String, reason: String)
    case invalidUTF8(file: String)
    /// Not valid JSON, or not the structure expected; `byte` is the offset in the file.
    case malformed(file: String, byte: Int, reason: String)
    /// A merge rule names something that is not in the vocabulary.
    case unknownMerge(file: String, rule: Int, token: String)
    /// The vocabulary lacks one of the 256 byte tokens, so that some text could not be written.
    case missingByteToken(byte: UInt8)
    case invalidID(token: String, id: Int)
    case duplicateID(id: Int, first: String, second: String)
    /// `tokenizer.json` asks for something other than Qwen2's byte-level BPE.
    case unsupported(file: String, what: String)
    /// A control token that a prompt needs is not in the vocabulary.
    case missingSpecialToken(String)
    /// A conversation that the requested rendering cannot express.
    case unsupportedConversation(String)
    /// A vocabulary to be learnt that has no room for the bytes and control tokens.
    case vocabularyTooSmall(Int, least: Int)

    public var errorDescription: String? {
        switch self {
        case .noTokenizer(let directory):
            "no tokenizer in \(directory): expected vocab.json and merges.txt, or tokenizer.json"
        case .unreadable(let file, let reason): "cannot read \(file): \(reason)"
        case .invalidUTF8(let file): "\(file) is not valid UTF-8; the file is damaged or not a tokenizer file"
        case .malformed(let file, let byte, let reason): "\(file) is malformed at byte \(byte): \(reason)"
        case .unknownMerge(let file, let rule, let token):
            "\(file): merge rule \(rule) needs \"\(token)\", which the vocabulary lacks; the files do not belong together"
        case .missingByteToken(let byte): "the vocabulary has no token for byte \(byte); it is not a byte-level vocabulary"
        case .invalidID(let token, let id):
            "token \"\(token)\" has id \(id), outside 0 ..< \(Vocabulary.idLimit)"
        case .duplicateID(let id, let first, let second): "id \(id) is given to both \"\(first)\" and \"\(second)\""
        case .unsupported(let file, let what):
            "\(file) uses \(what); only Qwen2's byte-level BPE with NFC normalisation is supported"
        case .missingSpecialToken(let token): "the vocabulary has no special token \(token), which the prompt needs"
        case .vocabularyTooSmall(let size, let least):
            "a vocabulary of \(size) is too small: bytes and control tokens take \(least)"
        case .unsupportedConversation(let reason): "this conversation cannot be written as a prompt: \(reason)"
        }
    }
}
