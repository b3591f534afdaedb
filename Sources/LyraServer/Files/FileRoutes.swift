// /v1/files: recordings, pictures and videos that are uploaded once and asked about many times.
import Foundation
import Hummingbird
import HTTPTypes
import LyraMedia
import NIOCore

struct FileRoutes: Sendable {
    let service: Service

    func add(to router: Router<Context>) {
        router.post("/v1/files") { request, context in try await upload(request, context) }
        router.get("/v1/files") { _, context in
            Response.json(List(data: await service.files.list(owner: context.owner).map(Body.init)))
        }
        router.get("/v1/files/{id}") { _, context in
            Response.json(Body(try await service.files.get(context.parameters.require("id"), owner: context.owner)))
        }
        router.get("/v1/files/{id}/content") { _, context in
            let bytes = try await service.files.content(context.parameters.require("id"), owner: context.owner)
            return Response(
                status: .ok, headers: [.contentType: "application/octet-stream", .contentDisposition: "attachment"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        }
        router.delete("/v1/files/{id}") { _, context in
            let id = try context.parameters.require("id")
            try await service.files.remove(id, owner: context.owner)
            return Response.json(Deleted(id: id))
        }
    }

    private func upload(_ request: Request, _ context: Context) async throws -> Response {
        let bytes = try await request.bytes(limit: service.options.maximumUploadBytes)
        let form = try Multipart(bytes, contentType: request.headers[.contentType])
        let file = try form.file("file")
        let check = MediaCheck(service.options)
        let (kind, seconds) = try await MediaThreads.run { () -> (MediaKind, Double?) in
            do {
                let kind = try MediaKind(bytes: file.content, name: file.fileName), source = MediaSource.bytes(file.content)
                switch kind {
                case .image: try check.image(source)
                case .video: try check.video(source)
                case .sound: return (kind, try check.sound(source))
                }
                return (kind, nil)
            } catch {
                throw APIError(error, param: "file")
            }
        }
        let stored = try await service.files.add(
            file.content, name: file.fileName ?? "file", purpose: form.text("purpose") ?? "user_data", kind: kind, seconds: seconds,
            owner: context.owner)
        return .json(Body(stored))
    }

    private struct Body: Encodable {
        var id: String
        var object = "file"
        var bytes: Int
        var createdAt: Int
        var filename: String
        var purpose: String
        var status = "processed"
        /// image, video or sound.
        var kind: MediaKind
        var seconds: Double?

        init(_ file: StoredFile) {
            (id, bytes, createdAt, filename) = (file.id, file.bytes, file.created, file.name)
            (purpose, kind, seconds) = (file.purpose, file.kind, file.seconds)
        }
    }
    private struct List: Encodable {
        var object = "list"
        var data: [Body]
        var hasMore = false
    }
    private struct Deleted: Encodable {
        var id: String
        var object = "file"
        var deleted = true
    }
}
