// Which checkpoint a command uses.
import Foundation

enum NamedModel {
    static let defaultHelp = "Default: the environment variable LYRA_MODEL, or nano, which ships."

    /// The checkpoint that was given, or LYRA_MODEL, or, for those that use a model as it is, the one that ships.
    static func path(_ given: String?, orShipped: Bool = true) throws -> String {
        let variable = ProcessInfo.processInfo.environment["LYRA_MODEL"]
        if let named = given ?? variable, !named.isEmpty { return named }
        if given == nil, orShipped, let shipped { return shipped }
        throw UsageError("no model is named: give its folder, or set the environment variable LYRA_MODEL")
    }

    /// nano's folder: `models/nano` in a folder that the program lies in (the package it was built from), or `share/lyra/nano`.
    private static var shipped: String? {
        guard let program = Bundle.main.executableURL?.resolvingSymlinksInPath() else { return nil }
        var folder = program.deletingLastPathComponent()
        while folder.path != "/" {
            for place in ["models/nano", "share/lyra/nano"] {
                let path = folder.appendingPathComponent(place).path
                if FileManager.default.fileExists(atPath: path + "/config.json") { return path }
            }
            folder = folder.deletingLastPathComponent()
        }
        return nil
    }
}
