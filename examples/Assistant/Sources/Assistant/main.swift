// Asks a Lyra model about a picture by voice: prints the answer while it is written and saves it as sound.
// Usage: swift run Assistant MODEL PICTURE QUESTION [ANSWER.wav]
import Foundation
import Lyra
import LyraMedia

let arguments = Array(CommandLine.arguments.dropFirst())
guard (3...4).contains(arguments.count) else {
    print("usage: Assistant MODEL PICTURE QUESTION [ANSWER.wav]")
    exit(2)
}
do {
    let lyra = try await Lyra.open(arguments[0])
    let conversation = lyra.conversation()

    var options = ReplyOptions()
    options.maximumTokens = 32
    options.speaks = true

    let question: [Part] = [.image(.file(arguments[1])), .speech(.file(arguments[2]))]
    var answer: AudioFileWriter?
    for try await event in conversation.reply(to: question, options: options) {
        switch event {
        case .text(let delta):
            FileHandle.standardOutput.write(Data(delta.utf8))
        case .audio(let chunk) where arguments.count == 4:
            if answer == nil { answer = try AudioFileWriter(path: arguments[3], sampleRate: chunk.sampleRate) }
            try answer?.append(chunk.samples)
        case .done(let reply):
            print("\n\(reply.usage.completionTokens) tokens, \(reply.usage.spokenSeconds) s of speech")
        default: break
        }
    }
    try answer?.finish()
} catch {
    print("Assistant: \(error.localizedDescription)")
    exit(1)
}
