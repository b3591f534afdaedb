// Small parts: forms, base64, JSON, truncation.
import Foundation
import HTTPTypes
import Lyra
import LyraMedia
@testable import LyraServer
import Testing

@Suite struct PartsTests {
    private func form(_ text: String) throws -> Multipart {
        try Multipart(Array(text.utf8), contentType: "multipart/form-data; boundary=\"b\"")
    }

    @Test func formsAreRead() throws {
        let form = try form("preamble\r\n--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--y\r\n--b\r\ncontent-disposition: form-data; filename=\"f;.wav\"; name=file\r\nContent-Type: audio/wav\r\n\r\n\r\n--b--")
        #expect(form.text("a") == "x\r\n--y")
        #expect(form.fields[1].fileName == "f;.wav" && form.fields[1].name == "file" && form.fields[1].content.isEmpty)
        #expect(throws: APIError.self) { try form.file("file") }
        #expect(throws: APIError.self) { try form.file("none") }
    }

    @Test(arguments: ["", "--b", "--b\r\n", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx", "--b\r\nX: y\r\n\r\nx\r\n--b--", "--bad"])
    func damagedFormsAreRefused(text: String) { #expect(throws: APIError.self) { try form(text) } }

    @Test func nestingIsLimited() {
        let deep = Array((String(repeating: "[", count: 40) + String(repeating: "]", count: 40)).utf8)
        #expect(JSON.depth(deep) == 40)
        #expect(JSON.depth(Array(#"{"a": "[[[[{\"", "b": [1]}"#.utf8)) == 2)
        #expect(throws: APIError.self) { try JSON.decode([JSONValue].self, from: deep) }
        #expect(throws: APIError.self) { try JSONValue(parsing: deep) }
    }

    @Test func dataURLsAreRead() throws {
        #expect(try Base64.dataURL("data:text/plain;base64,aGk=", "x") == Array("hi".utf8))
        for wrong in ["data:,hi", "data:text/plain,hi", "data:;base64,", "data:;base64,a", "http://x", "data:\(String(repeating: "x", count: 300));base64,aGk="] {
            #expect(throws: APIError.self) { try Base64.dataURL(wrong, "x") }
        }
    }

    @Test func anAnswerIsCutWhereTheListenerStopped() async throws {
        var item = RealtimeItem(replyNamed: "i", isSpoken: true)
        (item.answer, item.spokenSeconds) = ("one two three four", 4)
        var whole = item
        whole.truncate(after: 5)
        #expect(whole.answer == "one two three four" && whole.status == "incomplete")
        item.truncate(after: 2)
        #expect(item.answer == "one two")
        item.truncate(after: 0)
        #expect(item.answer == "")
    }

    @Test func samplesSurviveTheirBytes() {
        let samples: [Float] = [0, 0.5, -0.5, 0.999, -1, 2, -2, .nan]
        let back = PCM.samples(PCM.bytes(samples))
        for (a, b) in zip(samples.prefix(5), back) { #expect(abs(a - b) < 1 / 16_384) }
        #expect(back[5] > 0.99 && back[6] == -1 && back[7] == 0)
    }

    @Test func errorsOfTheMachineAreNotToldInDetail() {
        let error = APIError(CocoaError(.fileReadNoPermission))
        #expect(error.status == .internalServerError && !error.message.contains("/"))
    }
}
