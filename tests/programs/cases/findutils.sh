# Trees, tests, actions; xargs with parallel children.
mkdir -p t/a/b t/c; touch -d 2020-01-02 t/a/1.c; touch t/a/b/2.c t/c/3.h; ln -s a t/l; truncate -s 5000 t/c/big
find t | sort; find t -name '*.c' -printf '%p %s %d %y\n' | sort; find t -type l -o -size +4k | sort
find t -type f -newer t/a/1.c | wc -l; find t -name '*.c' -exec sh -c 'echo "run $1"' _ {} \; | sort
find t -type f -print0 | sort -z | xargs -0 -n 2 echo; seq 20 | xargs -n 3 -P 4 sh -c 'echo $(($1 + 1))' _ | sort -n
find t -depth -delete; ls t 2>&1; find / -maxdepth 1 -type d | sort; seq 3 | xargs -I{} echo "<{}>"; echo x | xargs false; echo $?
