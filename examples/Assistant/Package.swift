// swift-tools-version: 6.1
// A program of its own that uses Lyra as a library. Build it with the package's native libraries in sight:
//   ../../scripts/bootstrap && PKG_CONFIG_PATH=$PWD/../../.deps/pkgconfig swift build
import PackageDescription

let package = Package(
    name: "Assistant",
    dependencies: [.package(name: "Lyra", path: "../..")],
    targets: [
        .executableTarget(
            name: "Assistant",
            dependencies: [.product(name: "Lyra", package: "Lyra"), .product(name: "LyraMedia", package: "Lyra")])
    ],
    swiftLanguageModes: [.v6]
)
