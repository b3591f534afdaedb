// The README's Swift code. It compiles here; ReadmeTests checks that the README shows these very lines.
import Lyra

func readmeExample(play: ([Float], Int) -> Void) async throws {
    let lyra = try await Lyra.open("release/work_dirs/Lyra_Mini_3B")
    let conversation = lyra.conversation()

    var options = ReplyOptions()
    options.speaks = true
    for try await event in conversation.reply(to: [.image(.file("menu.jpg")), .speech(.file("question.mp3"))], options: options) {
        switch event {
        case .text(let delta): print(delta, terminator: "")
        case .audio(let chunk): play(chunk.samples, chunk.sampleRate)
        default: break
        }
    }
}
