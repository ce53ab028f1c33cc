# Erlang: its compiler to machine code, processes by the thousand, exceptions.
# seconds: 200
# prints: 500500 832040 {badarith,caught} 1000
cat >a.erl <<'END'
-module(a).
-export([main/0, fib/1]).
fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).
main() ->
    Me = self(),
    [spawn(fun() -> Me ! {n, N} end) || N <- lists:seq(1, 1000)],
    S = lists:sum([receive {n, N} -> N end || _ <- lists:seq(1, 1000)]),
    C = try 1 / (S - S) of _ -> no catch error:E -> {E, caught} end,
    T = ets:new(t, []),
    [ets:insert(T, {N, lists:duplicate(100, N)}) || N <- lists:seq(1, 1000)],
    io:format("~p ~p ~p ~p~n", [S, fib(30), C, ets:info(T, size)]),
    halt().
END
erlc a.erl && erl -noshell -noinput -s a main
