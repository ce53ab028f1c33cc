# needs: make
# seconds: 120
# Two jobs at once, pattern rules, functions, recursion, errors; a C project where there is a compiler.
mkdir sub; printf 'all:\n\t@echo sub $(V) $(MAKELEVEL)\n' >sub/Makefile
cat >Makefile <<'EOF'
N := 1 2 3 4 5 6
OUT := $(addsuffix .out,$(N))
V = $(shell echo shelled)
all: sum sub; @echo done $(words $(N)) $(patsubst %.out,%,$(firstword $(OUT))) $(sort c b a)
%.out: ; @sleep 0.0$* && echo $$(($* * $*)) > $@
sum: $(OUT) ; @cat $^ | paste -sd+ ; @true
sub: sum ; @$(MAKE) --no-print-directory -C sub V=$(V)
fail: ; @exit 3
export V
.PHONY: all sub fail
define two
echo $(1)
echo $(2)
endef
multi: ; @$(call two,one,two)
EOF
make -j2; make -j2 -s; rm -f 3.out; make -j2 -n | head -n 2; make fail 2>&1 | tail -n 1; make multi; make nothing 2>&1; echo $?; make -k fail multi 2>&1 | tail -n 1
if command -v gcc >/dev/null; then for i in 1 2 3 4; do echo "int f$i(void){return $i;}" >c$i.c; done; echo 'int f1(),f2(),f3(),f4();int main(){return f1()+f2()+f3()+f4();}' >main.c; printf 'prog: c1.o c2.o c3.o c4.o main.o\n\t@$(CC) -o $@ $^\n%%.o: %%.c\n\t@$(CC) -c -o $@ $<\n' >C.mk; make -f C.mk -j2 && ./prog; echo "prog $?"; fi
