// The open model: one actor that owns the networks and runs everything on a thread of its own.
import Foundation
import LyraMedia
import LyraModel
import LyraText
import MLX

/// Settings of an open model.
public struct LyraOptions: Sendable {
    /// nil: bf16 where the processor has instructions for it, else f32.
    public var precision: Precision?
    /// Where parts are that do not lie next to the model.
    public var visionTower: String?
    public var speechTower: String?
    public var vocoder: String?
    /// Folders of adapters to use instead of the checkpoint's, for example of one that has just been trained.
    public var adapters: [Adapter: String] = [:]
    /// How keys and values are kept: 8 bits take half the memory of bf16.
    public var cacheFormat = CacheFormat.exact
    /// A folder where encoded speech is kept, so that a recording is encoded but once. Made if it is not there.
    public var cacheFolder: String?
    /// Most bytes kept there: an hour of speech takes about 0.5 GB in bf16.
    public var cacheBytes = 4 << 30
    /// Most bytes of caches kept of conversations that have ended, for those to come that begin alike: the same recording or
    /// picture, asked about again. 0 keeps none.
    public var keptContextBytes = 1 << 30
    /// Does as the original release does where this implementation differs by choice; see docs/compatibility.md.
    public var isCompatible = false

    public init() {}
}

/// A Lyra that is ready to talk.
///
/// ```swift
/// let lyra = try await Lyra.open("Lyra_Mini_3B")
/// let conversation = lyra.conversation()
/// for try await event in conversation.reply(to: [.image(.file("menu.jpg")), .speech(.file("question.mp3"))]) {
///     if case .text(let delta) = event { print(delta, terminator: "") }
/// }
/// ```
///
/// Calls from several tasks are safe; replies of different conversations take turns, token by token.
public actor Lyra {
    private let executor = ModelExecutor()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    let model: LyraModel
    let tokenizer: Tokenizer
    public nonisolated let options: LyraOptions
    public nonisolated let precision: Precision
    public nonisolated let location: ModelLocation
    var conversations: [UUID: ConversationState] = [:]
    var recordings: [UUID: RecordingState] = [:]
    /// Contexts of conversations that have ended.
    var contexts: KeptContexts
    /// Encoded speech on disk.
    let speechCache: SpeechCache?
    /// Replies being made, and those of them that wait for the model.
    var replies = 0
    var waiting: [WaitingRun] = []
    /// Most conversations that went through the model in one pass.
    var largestPass = 0

    /// Loads the checkpoint at `path`: a folder with `config.json`, or a release's root with one model in it.
    public static func open(_ path: String, options: LyraOptions = LyraOptions()) async throws -> Lyra {
        try await Task.detached { try Lyra(path, options) }.value
    }

    private init(_ path: String, _ options: LyraOptions) throws {
        let (location, configuration) = try ModelLocation.resolve(
            path, vision: options.visionTower, speech: options.speechTower, vocoder: options.vocoder,
            adapters: options.adapters)
        self.options = options
        self.location = location
        precision = options.precision ?? .fastest
        tokenizer = try Tokenizer(directory: URL(fileURLWithPath: location.model))
        let model = try LyraModel(location, configuration, precision: precision, cacheFormat: options.cacheFormat)
        self.model = model
        speechCache = try options.cacheFolder.map { try SpeechCache(folder: $0, limit: options.cacheBytes, model: model) }
        contexts = KeptContexts(limit: options.isCompatible ? 0 : options.keptContextBytes)
    }

    /// Starts a conversation. It ends when the last reference to it goes.
    /// - Parameters:
    ///   - system: the system prompt; the models were trained with the default. nil for none.
    ///   - owner: whose it is. Conversations that begin alike share what was computed, but only those of one owner: how soon a
    ///     reply begins, and its usage, would tell others what was asked.
    public nonisolated func conversation(system: String? = ChatTemplate().systemPrompt, owner: String = "") -> Conversation {
        Conversation(self, system: system, owner: owner)
    }

    func close(_ id: UUID) {
        if let ended = conversations.removeValue(forKey: id) { contexts.keep(ended) }
    }
}

/// Runs the model's work on one queue, off the cooperative pool: computing blocks its thread for long.
final class ModelExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "lyra.model", qos: .userInitiated)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}
