// lyra average, as a process.
import Foundation
import Testing

@Suite(.serialized) struct AverageCommandTests {
    private typealias Command = CommandLineProcess

    @Test func theMeanOfOneModelTwiceAnswersAsIt() throws {
        let folder = try TemporaryFolder()
        for name in ["a", "b", "c"] {
            #expect(try Command.run(["new", "--preset", "tiny", "--seed", name == "c" ? "2" : "1", "--dtype", "f32", folder.file(name)]).status == 0)
        }
        func answer(_ model: String) throws -> String {
            let result = try Command.run(["ask", "--model", model, "--adapter", "off", "--text", "What?", "--max-tokens", "8", "--precision", "f32"])
            #expect(result.status == 0, "\(result.errors)")
            return result.output
        }
        let same = try Command.run(["average", folder.file("a"), folder.file("b"), "--shares", "1, 3", "--out", folder.file("same")])
        #expect(same.status == 0, "\(same.errors)")
        #expect(same.output == folder.file("same") + "\n")
        #expect(same.errors.contains("tensors averaged"))
        #expect(try Command.run(["inspect", "--check", folder.file("same")]).status == 0)
        #expect(try answer(folder.file("same")) == answer(folder.file("a")))
        #expect(try Command.run(["average", folder.file("a"), folder.file("c"), "--out", folder.file("other")]).status == 0)
        #expect(try answer(folder.file("other")) != answer(folder.file("a")))
    }

    @Test func wrongUse() throws {
        let folder = try TemporaryFolder()
        let out = ["--out", folder.file("out")]
        #expect(try Command.run(["average", Command.pack] + out).status == 64)
        #expect(try Command.run(["average", Command.pack, Command.pack]).status == 64)
        #expect(try Command.run(["average", Command.pack, folder.file("none")] + out).status == 66)
        let shares = try Command.run(["average", Command.pack, Command.pack, "--shares", "1,two"] + out)
        #expect(shares.status == 64 && shares.errors.contains("--shares"))
        let same = try Command.run(["average", Command.pack, Command.pack] + out)
        #expect(same.status == 1 && same.errors.contains("nothing to average"))
        #expect(folder.names.isEmpty)
    }
}
