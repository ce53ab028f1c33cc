# Lua and LuaJIT: closures, coroutines, strings; the latter's traces, and its calls of C.
# seconds: 120
# prints: Lua 5.4 832040 333283335000 1000
# prints: Lua 5.1 832040 333283335000 1000
# prints: ffi 4 1000000
cat >a.lua <<'END'
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local s = 0
for i = 1, 9999 do s = s + i * i end
local co = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield(i) end end)
local last
for i = 1, 1000 do last = co() end
local t = {}
for i = 1, 200000 do t[i % 1000] = ("%d:%s"):format(i, "x"):rep(2) end
print(_VERSION, fib(30), string.format("%d", s), last)
END
sed 's/print(\(.*\))/io.write(table.concat({tostring(_VERSION), tostring(fib(30)), string.format("%d", s), tostring(last)}, " "), "\\n")/' a.lua >b.lua
lua5.4 b.lua
luajit b.lua
cat >c.lua <<'END'
local ffi = require("ffi")
ffi.cdef("int abs(int); typedef struct { int x, y; } point;")
local p, n = ffi.new("point[100]"), 0
for i = 1, 1000000 do p[i % 100].x = i; n = n + ffi.C.abs(-1) end
print("ffi " .. ffi.C.abs(-4) .. " " .. n)
END
luajit c.lua
