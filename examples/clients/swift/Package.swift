// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "VoiceClient",
    targets: [.executableTarget(name: "VoiceClient")],
    swiftLanguageModes: [.v6]
)
