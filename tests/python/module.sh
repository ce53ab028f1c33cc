# MODULE SECONDS [OPTIONS]: one module of Python's own tests, of which nothing may use the network, sound, a screen, much memory or much time. What each test of it came to is left in report.xml.
# Some tests write beside themselves.
for library in /usr/lib/python3*; do
    layers=/run/layers${library##*/}
    mkdir -p "$layers/upper" "$layers/work" && mount -t overlay -o lowerdir="$library",upperdir="$layers/upper",workdir="$layers/work" overlay "$library"
done
mkdir work && cd work
python3 -m test --timeout "$2" --junit-xml /tmp/report.xml "${@:3}" "$1" >/tmp/said 2>&1
echo "ended $?"
tail -c 20000 /tmp/said
echo
echo "report"
cat /tmp/report.xml
