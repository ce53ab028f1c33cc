# The newest uv: an interpreter found, an environment made, a package built and installed in it.
# seconds: 120
# needs: /opt/uv/bin/uv
# prints: /usr/bin/python3
# prints: pip freeze: one @ file:///tmp/one-1.0-py3-none-any.whl
# prints: imported 42
export UV_CACHE_DIR=/tmp/cache UV_OFFLINE=1
/opt/uv/bin/uv python find --no-cache | sed 's/3\..*/3/'
/opt/uv/bin/uv venv -q env
mkdir -p one/one one-1.0.dist-info
echo 'answer = 42' >one/one/__init__.py
printf 'Metadata-Version: 2.1\nName: one\nVersion: 1.0\n' >one-1.0.dist-info/METADATA
printf 'Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n' >one-1.0.dist-info/WHEEL
printf 'one/__init__.py,,\none-1.0.dist-info/METADATA,,\none-1.0.dist-info/WHEEL,,\none-1.0.dist-info/RECORD,,\n' >one-1.0.dist-info/RECORD
python3 - <<'END'
import zipfile
with zipfile.ZipFile('one-1.0-py3-none-any.whl', 'w') as z:
    z.write('one/one/__init__.py', 'one/__init__.py')
    for name in 'METADATA', 'WHEEL', 'RECORD':
        z.write(f'one-1.0.dist-info/{name}')
END
VIRTUAL_ENV=/tmp/env /opt/uv/bin/uv pip install -q ./one-1.0-py3-none-any.whl
echo pip freeze: $(VIRTUAL_ENV=/tmp/env /opt/uv/bin/uv pip freeze 2>/dev/null)
env/bin/python -c 'import one; print("imported", one.answer)'
