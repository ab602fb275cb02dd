/* One end of a cold, insulated rod is held at temperature 1. When is the other end at 1/2?
   Explicit finite differences; the exact answer is 0.378748 * LENGTH^2 / DIFFUSIVITY.

   build:  cc -O2 -o heat heat.c
   usage:  heat LENGTH DIFFUSIVITY CELLS      (metres, square metres per second, a count)
   prints: {"half_time": SECONDS, "steps": COUNT} */
#include <stdio.h>
#include <stdlib.h>

#define R 0.4 /* diffusivity * dt / dx^2; stable below 1/2 */

int main(int argc, char **argv)
{
    double length = argc == 4 ? atof(argv[1]) : 0;
    double diffusivity = argc == 4 ? atof(argv[2]) : 0;
    int cells = argc == 4 ? atoi(argv[3]) : 0;
    if (!(length > 0 && diffusivity > 0 && cells > 0)) {
        fprintf(stderr, "usage: heat LENGTH DIFFUSIVITY CELLS, all above zero\n");
        return 2;
    }
    double dx = length / cells, dt = R * dx * dx / diffusivity;
    double *rod = calloc(cells + 1, sizeof *rod);
    if (!rod) {
        perror("heat");
        return 1;
    }
    long steps = 0;
    double before = 0; /* the far end, one step ago */
    rod[0] = 1;
    while (rod[cells] < 0.5) {
        before = rod[cells];
        double left = rod[0];
        for (int i = 1; i < cells; i++) {
            double here = rod[i];
            rod[i] += R * (left - 2 * here + rod[i + 1]);
            left = here;
        }
        rod[cells] += 2 * R * (left - rod[cells]); /* mirrored beyond the insulated end */
        steps++;
    }
    double over = (rod[cells] - 0.5) / (rod[cells] - before); /* the part of the last step too many */
    printf("{\"half_time\": %.17g, \"steps\": %ld}\n", (steps - over) * dt, steps);
    free(rod);
    return 0;
}
