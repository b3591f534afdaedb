// One realtime conversation: events in, events out.
import Foundation
import HTTPTypes
import Logging
import Lyra
import LyraMedia

/// The state of a connection to /v1/realtime.
actor RealtimeSession {
    let service: Service
    let client: String
    let id = Names.new("sess")
    private let owner: String
    private let send: @Sendable (JSONValue) -> Void
    private(set) var settings: RealtimeSettings
    private var input: SpeechInput
    var items: [RealtimeItem] = []
    var history = RealtimeHistory()
    var response: RealtimeResponse?
    /// An utterance waits until the reply it interrupted has ended.
    private var isReplyWanted = false

    /// Items of one conversation; older ones have to be deleted for more.
    static let maximumItems = 512

    init(service: Service, client: String, owner: String, send: @escaping @Sendable (JSONValue) -> Void) {
        (self.service, self.client, self.owner, self.send) = (service, client, owner, send)
        settings = RealtimeSettings(id: id, model: service.modelName, limit: service.options.maximumTokens)
        input = SpeechInput(service.lyra, detection: settings.detection)
    }

    func emit(_ type: String, _ fields: [String: JSONValue] = [:]) {
        var event = fields
        event["type"] = .text(type)
        event["event_id"] = .text(Names.new("event"))
        send(.object(event))
    }

    func begin() {
        emit("session.created", ["session": settings.body])
    }

    /// The connection is gone.
    func end() { response?.cancel() }

    /// The server shuts down.
    func tellEnd() { fail(APIError.shuttingDown, event: nil) }

    private func fail(_ error: any Error, event: String?) {
        let told = APIError(error)
        if told.status.kind == .serverError, told != .shuttingDown { service.logger.error("realtime: \(error)") }
        emit(
            "error",
            [
                "error": [
                    "type": .text(told.type), "code": .init(told.code), "message": .text(told.message), "param": .init(told.param),
                    "event_id": .init(event),
                ]
            ])
    }

    /// One event of the client.
    func receive(_ bytes: [UInt8]) async {
        var name: String?
        do {
            let event = try JSONValue(parsing: bytes)
            name = event["event_id"]?.text
            try await handle(event)
        } catch {
            fail(error, event: name)
        }
    }

    private func handle(_ event: JSONValue) async throws {
        guard let type = event["type"]?.text else {
            throw APIError.invalid("Missing required parameter: 'type'.", param: "type", code: "missing_required_parameter")
        }
        switch type {
        case "session.update":
            try settings.update(event["session"] ?? nil)
            input.detect(settings.detection)
            emit("session.updated", ["session": settings.body])
        case "input_audio_buffer.append":
            guard let text = event["audio"]?.text else {
                throw APIError.invalid("Missing required parameter: 'audio'.", param: "audio", code: "missing_required_parameter")
            }
            try await hear(PCM.samples(try Base64.decode(text, "audio")))
        case "input_audio_buffer.commit":
            let isEnough = input.utteranceSeconds >= 0.1
            guard let (item, recording) = input.commit(), isEnough else {
                throw APIError.invalid(
                    "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio.", code: "input_audio_buffer_commit_empty")
            }
            commit(item, recording)
        case "input_audio_buffer.clear":
            input.clear()
            emit("input_audio_buffer.cleared")
        case "conversation.item.create":
            try await create(event)
        case "conversation.item.retrieve":
            emit("conversation.item.retrieved", ["item": items[try index(event)].body])
        case "conversation.item.delete":
            let index = try index(event)
            emit("conversation.item.deleted", ["item_id": .text(items.remove(at: index).id)])
        case "conversation.item.truncate":
            try truncate(event)
        case "response.create":
            try await respond(event["response"])
        case "response.cancel":
            guard let response else {
                throw APIError.invalid("Cancellation failed: no active response found.", code: "response_cancel_not_active")
            }
            response.cancel()
        case "output_audio_buffer.clear":
            response?.cancel()
        default:
            throw APIError.invalid("'\(type.prefix(64))' is no event this server knows.", param: "type", code: "invalid_value")
        }
    }

    // MARK: Items

    private func index(_ event: JSONValue) throws -> Int {
        let id = event["item_id"]?.text ?? ""
        guard let index = items.firstIndex(where: { $0.id == id }) else {
            throw APIError.invalid("There is no item '\(id.prefix(64))'.", param: "item_id", code: "item_not_found")
        }
        return index
    }

    func add(_ item: RealtimeItem, at place: Int? = nil) {
        let place = place ?? items.count
        items.insert(item, at: place)
        emit("conversation.item.added", ["previous_item_id": .init(place > 0 ? items[place - 1].id : nil), "item": item.body])
        if item.status != "in_progress" { finished(item.id) }
    }

    func finished(_ id: String) {
        guard let place = items.firstIndex(where: { $0.id == id }) else { return }
        emit(
            "conversation.item.done",
            ["previous_item_id": .init(place > 0 ? items[place - 1].id : nil), "item": items[place].body])
    }

    private func create(_ event: JSONValue) async throws {
        guard let body = event["item"] else {
            throw APIError.invalid("Missing required parameter: 'item'.", param: "item", code: "missing_required_parameter")
        }
        guard items.count < Self.maximumItems else {
            throw APIError.invalid("The conversation has \(Self.maximumItems) items; delete some first.", code: "conversation_full")
        }
        let item = try await RealtimeItem(body, media: service.resolver(owner: owner))
        guard !items.contains(where: { $0.id == item.id }) else {
            throw APIError.invalid("There is an item '\(item.id)' already.", param: "item.id", code: "invalid_value")
        }
        var place: Int?
        if let previous = event["previous_item_id"]?.text {
            place = previous == "root" ? 0 : items.firstIndex { $0.id == previous }.map { $0 + 1 }
            guard place != nil else {
                throw APIError.invalid("There is no item '\(previous.prefix(64))'.", param: "previous_item_id", code: "item_not_found")
            }
        }
        add(item, at: place)
    }

    /// The listener heard only so much of a spoken item.
    private func truncate(_ event: JSONValue) throws {
        let index = try index(event)
        guard items[index].role == .assistant, let end = event["audio_end_ms"]?.number, end >= 0 else {
            throw APIError.invalid("'conversation.item.truncate' needs a spoken item and 'audio_end_ms'.", param: "audio_end_ms", code: "invalid_value")
        }
        if let response, response.item == items[index].id { response.cancel() }
        items[index].truncate(after: end / 1000)
        emit(
            "conversation.item.truncated",
            ["item_id": .text(items[index].id), "content_index": 0, "audio_end_ms": .number(end)])
    }

    // MARK: Sound

    private func hear(_ samples: [Float]) async throws {
        guard input.utteranceSeconds < service.options.maximumAudioSeconds else {
            input.clear()
            throw APIError.tooLarge("More sound than this server takes in one piece; it was dropped.")
        }
        for event in input.append(samples) {
            switch event {
            case .started(let time, let item):
                emit("input_audio_buffer.speech_started", ["audio_start_ms": .init(Int(time * 1000)), "item_id": .text(item)])
                if settings.interruptsResponse, let response {
                    service.metrics.add("lyra_interruptions_total")
                    response.cancel(reason: "turn_detected")
                }
            case .stopped(let time, let item, let recording):
                emit("input_audio_buffer.speech_stopped", ["audio_end_ms": .init(Int(time * 1000)), "item_id": .text(item)])
                commit(item, recording)
                if settings.createsResponse { try await respondToSpeech() }
            }
        }
    }

    private func commit(_ item: String, _ recording: Recording) {
        emit(
            "input_audio_buffer.committed",
            ["item_id": .text(item), "previous_item_id": .init(items.last?.id)])
        add(RealtimeItem(id: item, recording: recording))
        if settings.transcribes { transcribe(item, recording) }
    }

    private func respondToSpeech() async throws {
        // A reply that was interrupted may still be winding down; its end begins this one.
        guard response == nil else {
            isReplyWanted = true
            return
        }
        try await respond(nil)
    }

    // MARK: Replies

    private func respond(_ request: JSONValue?) async throws {
        guard response == nil else {
            throw APIError.invalid(
                "Conversation already has an active response in progress: \(response?.id ?? ""). Wait until the response is finished before creating a new one.",
                code: "conversation_already_has_active_response")
        }
        var options = ReplyOptions()
        options.speaks = try request?["output_modalities"].map { try RealtimeSettings.speaks($0, "response.output_modalities") } ?? settings.speaks
        options.maximumTokens = try request?["max_output_tokens"].map {
            try RealtimeSettings.tokens($0, service.options.maximumTokens, "response.max_output_tokens")
        } ?? settings.maximumTokens
        options.sampling = try Sampling(temperature: request?["temperature"]?.number ?? settings.temperature).options()
        let instructions = request?["instructions"]?.text ?? settings.instructions
        let feed = input.feed
        let reply = RealtimeResponse(session: self, options: options)
        response = reply
        let plan = history.plan(items, instructions: instructions, lyra: service.lyra, owner: owner)
        reply.start(plan, after: feed)
    }

    /// A reply has ended, however.
    func ended(_ reply: RealtimeResponse, history: RealtimeHistory?) async {
        guard response === reply else { return }
        response = nil
        if let history { self.history = history }
        if isReplyWanted {
            isReplyWanted = false
            do { try await respond(nil) } catch { fail(error, event: nil) }
        }
    }

    func change(_ id: String, _ body: (inout RealtimeItem) -> Void) {
        guard let index = items.firstIndex(where: { $0.id == id }) else { return }
        body(&items[index])
    }

    func item(_ id: String) -> RealtimeItem? { items.first { $0.id == id } }

    // MARK: Transcripts

    /// Writes down what was said, beside the reply to it.
    private func transcribe(_ item: String, _ recording: Recording) {
        let feed = input.feed, service = service, client = client, owner = owner
        Task { [weak self] in
            do {
                await feed.finish()
                let text = try await service.scheduler.run(client: client, limit: service.options.requestTimeout) {
                    var options = ReplyOptions()
                    (options.maximumTokens, options.endsRepetition) = (444, true)
                    let instruction = Transcriber(lyra: service.lyra).instruction
                    return try await service.lyra.conversation(owner: owner).respond(to: [.recording(recording), .text(instruction)], options: options).text
                }
                await self?.transcribed(item, text.trimmingCharacters(in: .whitespacesAndNewlines))
            } catch {
                await self?.emit(
                    "conversation.item.input_audio_transcription.failed",
                    ["item_id": .text(item), "content_index": 0, "error": ["message": .text(APIError(error).message)]])
            }
        }
    }

    private func transcribed(_ item: String, _ text: String) {
        change(item) { $0.content[0].body = ["type": "input_audio", "transcript": .text(text)] }
        emit(
            "conversation.item.input_audio_transcription.completed",
            ["item_id": .text(item), "content_index": 0, "transcript": .text(text)])
    }
}
