# A self-contained .NET program (npm): its runtime in one file, the compiler, JSON, a server that is spoken to by pipes.
# seconds: 600
# needs: /opt/dotnet/dist/azmcp
# without armhf: the package is for arm64 and x64 alone
# without riscv64: the package is for arm64 and x64 alone
# without i386: .NET is not made for i386 on Linux
# prints: version true
# prints: 200 Success True
# prints: protocolVersion true
# prints: tools true
# prints: stopped 0
export DOTNET_BUNDLE_EXTRACT_BASE_DIR=/tmp/x DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 AZURE_MCP_COLLECT_TELEMETRY=false HOME=/tmp
program=/opt/dotnet/dist/azmcp
$program --version | grep -q '^[0-9.]*+' && echo version true
$program tools list | python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["status"], d["message"], len(d["results"]) > 100)'
coproc server { exec $program server start 2>log; }
pid=$server_PID
ask() { echo "$1" >&${server[1]}; read -r -t 300 line <&${server[0]}; case $line in *"\"$2\""*) echo $2 true ;; *) echo "$line" ;; esac; }
ask '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}' protocolVersion
echo '{"jsonrpc":"2.0","method":"notifications/initialized"}' >&${server[1]}
ask '{"jsonrpc":"2.0","id":2,"method":"tools/list"}' tools
input=${server[1]}
exec {input}>&-
wait $pid; echo stopped $?
