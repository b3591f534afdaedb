// losses.svg of a long run is small, and shows its highest point.
import Testing

@testable import LyraTraining

struct LossPlotTests {
    @Test(arguments: [300, 30_000]) func aLongRunIsThinned(steps: Int) {
        // One step of all stands out.
        let points = (1...steps).map { (step: Double($0), value: $0 == steps * 2 / 3 + 1 ? 7 : 1 / Double($0).squareRoot()) }
        let svg = LossPlot.svg([LossPlot.Curve(name: "total", color: "#000000", points: points)])
        let lines = svg.matches(of: /points="([^"]*)"/).map { $0.output.1.split(separator: " ") }
        #expect(lines.count == 2)
        if steps == 300 { #expect(lines.allSatisfy { $0.count == 300 }) }
        #expect(svg.utf8.count < 40_000)
        // The top of the picture is the highest value's.
        #expect(lines.first?.count { $0.hasSuffix(",36.0") } == 1)
    }
}
