// The web page: files inside the program.
import Foundation
import Hummingbird
import HTTPTypes
import NIOCore

struct PageRoutes: Sendable {
    func add(to router: Router<Context>) {
        serve("/", PackageResources.index_html, "text/html; charset=utf-8", router)
        serve("/page.css", PackageResources.page_css, "text/css; charset=utf-8", router)
        serve("/page.js", PackageResources.page_js, "text/javascript; charset=utf-8", router)
        serve("/recorder.js", PackageResources.recorder_js, "text/javascript; charset=utf-8", router)
    }

    private func serve(_ path: RouterPath, _ content: [UInt8], _ type: String, _ router: Router<Context>) {
        router.get(path) { _, _ in
            Response(
                status: .ok,
                headers: [
                    .contentType: type, .cacheControl: "no-cache",
                    // The page needs nothing from elsewhere, and nobody may put it into a frame.
                    .contentSecurityPolicy:
                        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
                        + "connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                    .init("Referrer-Policy")!: "no-referrer",
                    .init("Permissions-Policy")!: "microphone=(self), camera=(self)",
                ],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: content)))
        }
    }
}
