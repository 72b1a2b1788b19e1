"""What answers in a LiveKit server's place: the pages of proxies, captive portals and firewalls."""
import base64
import hashlib

LOGIN = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please log in.</body></html>"

# Name, status line, more headers, body, and the words that a person is shown.
PAGES = [
    ("nginx-404", "404 Not Found", "", "<html><head><title>404 Not Found</title></head></html>", "proxy"),
    ("login-200", "200 OK", "", LOGIN, "captive portal"),
    ("moved-301", "301 Moved Permanently", "Location: https://portal.example/login?x=1\r\n", "", "portal.example"),
    ("login-302", "302 Found", "Location: /login\r\n", "", "captive portal"),
    ("basic-401", "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n', "Unauthorized", "proxy"),
    ("waf-403", "403 Forbidden", "", "<html>Blocked by your administrator</html>", "firewall"),
    ("rfc6585-511", "511 Network Authentication Required", "", LOGIN, "captive portal requires a login"),
]


def page(status, headers, body):
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return lambda _: ((head + body).encode(), False)


def other_websocket(head):
    """A WebSocket server that is not LiveKit's: it takes every upgrade, and says good day. Anything else gets a page."""
    keys = [line.split(":", 1)[1].strip() for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key:")]
    if not keys:
        return page("200 OK", "", LOGIN)(head)
    accept = base64.b64encode(hashlib.sha1((keys[0] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    upgrade = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    return upgrade.encode() + b"\x81\x08good day" + b"\x82\x04\xff\xff\xff\xff", True
