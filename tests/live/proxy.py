"""Something between us and the server: a proxy that can be cut, with TLS and a CA of our own where that is wanted."""
import asyncio
import ssl
import subprocess
import threading


def make_certificates(folder, name):
    """A CA, and a certificate for `name` signed by it: (CA file, certificate file, key file)."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key, cert, key, request = (folder / f"{part}.pem" for part in ("ca", "ca-key", "cert", "key", "request"))
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    openssl("req", "-x509", *new_key, "-keyout", ca_key, "-out", ca, "-days", "2", "-subj", "/CN=kinglet test CA")
    openssl("req", *new_key, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    extensions = folder / "extensions"
    extensions.write_text(f"subjectAltName=DNS:{name}\n")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
            "-extfile", extensions, "-out", cert)
    return ca, cert, key


class Proxy:
    """Takes connections on a port of its own and passes everything on to `target_port`."""

    def __init__(self, target_port, context=None):
        self.target_port = target_port
        self.context = context
        self.is_refusing = False
        self.answer = None
        self.answered = 0
        self.writers = set()
        self.clients = set()
        self.loop = asyncio.new_event_loop()
        started = threading.Event()

        def serve():
            asyncio.set_event_loop(self.loop)
            listener = self.loop.run_until_complete(
                asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
            )
            self.port = listener.sockets[0].getsockname()[1]
            started.set()
            self.loop.run_forever()

        self.thread = threading.Thread(target=serve, daemon=True)
        self.thread.start()
        started.wait(10)

    @classmethod
    def with_tls(cls, target_port, cert, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return cls(target_port, context)

    def cut(self, refuse=False):
        """Resets every connection; with `refuse` new ones are reset too, until the next cut."""

        def reset():
            self.is_refusing = refuse
            for writer in self.writers:
                writer.transport.abort()

        self.loop.call_soon_threadsafe(reset)

    def answer_itself(self, answer):
        """Resets every connection; new ones get this answer to a request, as `answer(head)` gives it. None: the server's."""
        self.answer = answer
        self.cut()

    def inject(self, data):
        """Says this to every client, in the server's name."""

        def write():
            for writer in self.clients:
                writer.write(data)

        self.loop.call_soon_threadsafe(write)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    async def _serve(self, reader, writer):
        if self.is_refusing:
            return writer.transport.abort()
        if self.answer:
            return await self._answer(reader, writer)
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target_port)
        ends = {writer, to_server}
        self.writers |= ends
        self.clients.add(writer)

        async def pump(source, sink):
            try:
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            except (ConnectionError, ssl.SSLError):
                pass
            finally:
                sink.close()

        await asyncio.gather(pump(reader, to_server), pump(from_server, writer))
        self.writers -= ends
        self.clients.discard(writer)

    async def _answer(self, reader, writer):
        self.writers.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            answer, stays_open = self.answer(head.decode())
            self.answered += 1
            writer.write(answer)
            await writer.drain()
            if stays_open:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()
