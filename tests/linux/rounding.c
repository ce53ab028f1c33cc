/* Rounding modes and exceptions in loops: set to what they are, and to something else, by functions that return under the new mode. */
#include "ok.h"
#include <fenv.h>

static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
static volatile double one = 1, three = 3;

/* A third, in units of the last place above what is nearest to it. */
__attribute__((noinline)) static int third(double sign)
{
	volatile double exact = sign * 0x1.5555555555555p-2, v = sign * one / three;
	return (v - exact) * 0x1p54;
}

__attribute__((noinline)) static int set(int mode) { return fesetround(mode); }

int main(void)
{
	static const int expected[4][2] = {{0, 0}, {1, 0}, {0, -1}, {0, 0}};
	int wrong = 0, refused = 0, raised = 0, lost = 0;
	for (int i = 0; i < 4000; i++) {
		int mode = i & 3;
		refused += set(modes[mode]) || fegetround() != modes[mode];
		wrong += third(1) != expected[mode][0] || third(-1) != expected[mode][1];
	}
	same("a mode a round: refusals", refused, 0);
	same("a mode a round: wrong results", wrong, 0);
	for (int mode = 0; mode < 4; mode++) {
		wrong = 0;
		for (int i = 0; i < 4000; i++) {
			set(modes[mode]);
			wrong += third(1) != expected[mode][0] || third(-1) != expected[mode][1];
		}
		same("one mode, set each round: wrong results", wrong, 0);
	}
	set(FE_UPWARD);
	wrong = 0;
	for (int i = 0; i < 4000; i++) {
		fenv_t before;
		feclearexcept(FE_ALL_EXCEPT);
		feholdexcept(&before);
		lost += third(1) != 1 || !fetestexcept(FE_INEXACT);
		if (i % 16 == 0)
			lost += set(FE_DOWNWARD) || third(-1) != -1;
		fesetenv(&before);
		raised += fetestexcept(FE_ALL_EXCEPT) != 0;
		wrong += fegetround() != FE_UPWARD || third(1) != 1;
	}
	same("exceptions held: results", lost, 0);
	same("exceptions held and dropped", raised, 0);
	same("the mode comes back with the environment", wrong, 0);
	return done();
}
