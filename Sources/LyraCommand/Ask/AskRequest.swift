// What is asked, checked as far as it can be without the model.
import Foundation
import Lyra
import LyraModel

struct AskRequest {
    let parts: [Part]
    let question: String
    let system: String?
    let options: ReplyOptions
    let speakPath, tracePath, evidencePath: String?
    let printsJSON: Bool

    init(_ command: AskCommand) throws {
        let output = command.output
        try command.reply.check()
        let media = try command.question.media()
        try output.check(isExtracting: command.reply.extracts, hasMedia: !media.isEmpty)

        var needs: ModelOptions.Needs = []
        if media.contains(where: { $0.kind == .image || $0.kind == .video }) { needs.insert(.sight) }
        if media.contains(where: { $0.kind == .speech || $0.kind == .videoSound }) { needs.insert(.hearing) }
        if output.speak != nil { needs.insert(.speech) }
        let (location, configuration) = try command.model.resolve(needs: needs)
        if let adapter = command.reply.adapter.fixed, location.adapters[adapter] == nil {
            throw UsageError("--adapter \(adapter.rawValue): the checkpoint has no such adapter (\(location.model))")
        }
        var options = try command.reply.options(layers: configuration.layers)
        options.speaks = output.speak != nil
        if output.trace != nil { options.trace = Trace() }
        options.explainsAnswer = output.evidence != nil
        self.options = options

        let drawsEvidence = output.evidence.map { EvidenceFile.Format(path: $0) != .json } ?? false
        let arguments = MediaArguments(media: media, isReadTwice: drawsEvidence)
        try arguments.check()
        question = command.question.readText()
        parts = try arguments.parts() + (question.isEmpty ? [] : [.text(question)])
        system = command.question.system
        (speakPath, tracePath, evidencePath) = (output.speak, output.trace, output.evidence)
        printsJSON = output.json
    }
}

extension AdapterChoice {
    /// The adapter that is asked for by name.
    var fixed: Adapter? {
        switch self {
        case .automatic, .off: nil
        case .speech: .speech
        case .longSpeech: .longSpeech
        }
    }
}
