// What a line typed into a chat means.
import Foundation
import Lyra

/// A line of input.
enum ChatLine: Equatable {
    /// Something to say; sent with the media named before it.
    case message(String)
    case image(String)
    case video(String)
    case speech(String)
    /// nil: stop speaking.
    case speak(String?)
    /// nil: keep all tokens.
    case extract(ExtractArgument?)
    case system(String)
    case reset
    case save(String)
    case help
    case quit
    /// Not a command; what is wrong with it.
    case unknown(String)

    /// The file replies are spoken into when none is named.
    static let defaultSpeechFile = "reply.wav"

    init(_ line: String) {
        let line = line.trimmed
        guard line.hasPrefix("/") else { self = .message(line); return }
        let name = line.prefix { !$0.isWhitespace }
        let rest = String(line.dropFirst(name.count)).trimmed
        func file(_ make: (String) -> ChatLine) -> ChatLine {
            rest.isEmpty ? .unknown("\(name) needs the name of a file") : make(Self.unquoted(rest))
        }
        switch name {
        case "/image": self = file(ChatLine.image)
        case "/video": self = file(ChatLine.video)
        case "/speech", "/audio": self = file(ChatLine.speech)
        case "/save": self = file(ChatLine.save)
        case "/speak":
            switch rest {
            case "off": self = .speak(nil)
            case "on", "": self = .speak(Self.defaultSpeechFile)
            default: self = .speak(Self.unquoted(rest))
            }
        case "/extract":
            if rest == "off" {
                self = .extract(nil)
            } else if let argument = ExtractArgument(argument: rest) {
                self = .extract(argument)
            } else {
                self = .unknown("/extract takes the number of blocks and the share kept, e.g. /extract 4,0.7, or off")
            }
        case "/system": self = rest.isEmpty ? .unknown("/system needs the text of the system prompt") : .system(rest)
        case "/reset": self = .reset
        case "/help", "/?": self = .help
        case "/quit", "/exit", "/q": self = .quit
        // A path or a word with a slash is something to say.
        default: self = name.dropFirst().contains("/") ? .message(line) : .unknown("no command \(name); /help lists them")
        }
    }

    /// File names may be pasted with quotes, or escaped as shells do.
    private static func unquoted(_ text: String) -> String {
        for quote in ["\"", "'"] where text.count >= 2 && text.hasPrefix(quote) && text.hasSuffix(quote) {
            return String(text.dropFirst().dropLast())
        }
        return text.replacingOccurrences(of: "\\ ", with: " ").expandingHome
    }

    static let helpText = """
        Type something and press Return. Media named before it go with it; an empty line sends them alone.
          /image FILE           show a picture
          /video FILE           show a video
          /speech FILE          play a recording or a spoken question
          /speak on|off|FILE    speak replies into reply.wav, or FILE
          /extract N,RHO|off    drop media tokens the question does not attend to
          /system TEXT          change the system prompt, and begin anew
          /reset                begin anew
          /save FILE            write the conversation (.json, else as text)
          /help                 this
          /quit                 leave
        Ctrl-C stops a reply; a second time it leaves.
        """
}

extension String {
    fileprivate var expandingHome: String { hasPrefix("~/") ? (self as NSString).expandingTildeInPath : self }
}
