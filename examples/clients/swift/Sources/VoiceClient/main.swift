// Asks a server by voice and prints the answer while it is written. No dependencies:
// swift run VoiceClient question.wav [http://127.0.0.1:8080]
import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

struct Failure: Error { let message: String }

let arguments = CommandLine.arguments.dropFirst()
guard let path = arguments.first else {
    print("usage: VoiceClient question.wav [http://127.0.0.1:8080]")
    exit(64)
}
let server = arguments.dropFirst().first ?? "http://127.0.0.1:8080"
let sound = try Data(contentsOf: URL(fileURLWithPath: path))
guard let url = URL(string: server + "/v1/chat/completions") else { throw Failure(message: "no address: \(server)") }

var request = URLRequest(url: url)
request.httpMethod = "POST"
request.setValue("application/json", forHTTPHeaderField: "Content-Type")
request.httpBody = try JSONSerialization.data(withJSONObject: [
    "model": "lyra", "stream": true, "max_completion_tokens": 128,
    "messages": [
        [
            "role": "user",
            "content": [
                [
                    "type": "input_audio",
                    "input_audio": ["data": sound.base64EncodedString(), "format": (path as NSString).pathExtension],
                ]
            ],
        ]
    ],
])

/// Prints the text of the events as they come.
final class Printer: NSObject, URLSessionDataDelegate {
    private var rest = Data()
    let done = DispatchSemaphore(value: 0)

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        rest += data
        while let end = rest.range(of: Data("\n\n".utf8)) {
            let event = rest[..<end.lowerBound]
            rest = Data(rest[end.upperBound...])
            guard event.starts(with: Data("data: {".utf8)),
                let object = try? JSONSerialization.jsonObject(with: event.dropFirst(6)) as? [String: Any]
            else { continue }
            if let error = object["error"] as? [String: Any] { print("\nerror: \(error["message"] ?? "")") }
            let delta = (object["choices"] as? [[String: Any]])?.first?["delta"] as? [String: Any]
            FileHandle.standardOutput.write(Data(((delta?["content"] as? String) ?? "").utf8))
        }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        if let error { print("error: \(error.localizedDescription)") }
        if let text = String(data: rest, encoding: .utf8), !text.isEmpty { print(text) }
        print()
        done.signal()
    }
}

let printer = Printer()
URLSession(configuration: .default, delegate: printer, delegateQueue: nil).dataTask(with: request).resume()
printer.done.wait()
