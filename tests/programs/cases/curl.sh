# needs: curl python3
# seconds: 120
# Against a server of the guest's own on loopback: GET, HEAD, POST, ranges, redirects, errors, parallel transfers.
cat >srv.py <<'EOF'
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def reply(self, code, body, **h):
        self.send_response_only(code); [self.send_header(k, v) for k, v in h.items()]; self.send_header("Content-Length", str(len(body))); self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)
    def do_GET(self):
        if self.path == "/r": return self.reply(302, b"", Location="/t")
        if self.path == "/404": return self.reply(404, b"no such page\n")
        body = b"".join(b"%d\n" % i for i in range(50000)) if self.path == "/big" else b"text of " + self.path.encode() + b"\n"
        self.reply(200, body, **{"X-Thing": self.headers.get("X-Thing", "-")})
    do_HEAD = do_GET
    def do_POST(self): b = self.rfile.read(int(self.headers["Content-Length"])); self.reply(201, b[::-1] + b"\n")
    do_PUT = do_POST
s = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), H); open("ready", "w").close(); s.serve_forever()
EOF
python3 srv.py & for i in $(seq 2000); do [ -e ready ] && break; sleep 0.1; done; u=http://127.0.0.1:8000
curl -s $u/t; curl -sI -H 'X-Thing: 5' $u/t; curl -sL -w '%{http_code} %{num_redirects} %{size_download}\n' $u/r; curl -s -d 'a=b&c' $u/p; curl -s -T srv.py $u/put | md5sum; curl -s $u/big | md5sum; curl -sf $u/404; echo "fail $?"; curl -s -o o -w '%{http_code}\n' $u/404; cat o; curl -s -Z -o a $u/big -o b $u/big && cmp a b && echo parallel; curl -s http://127.0.0.1:1/; echo "refused $?"; curl -s -F f=@o $u/p | wc -l; curl -s file:///etc/hosts; curl -s "$u/[1-3]"; curl -s --limit-rate 2M $u/big | wc -c; curl -s nosuch://x; echo $?; kill %1; wait 2>/dev/null; curl -s --resolve a.b:8000:127.0.0.1 http://a.b:8000/ ; echo $?
