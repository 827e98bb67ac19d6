/* Holds a curve against shapes that leaks have and shapes of what is none. The shapes depend on the clock
 * alone: each is made orthonormal once, and a curve costs a few dot products for each. */
#include "ops/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VECTORS_MAX = 3 };

struct shape {
	enum snap_trend_shape_kind kind;
	bool leak;
	double parameters;        /* how many, with those that are chosen by choosing a shape */
	double start;             /* on the clock */
	size_t first, count;      /* vectors; the last one is what must go up */
	double length;            /* of what is new in the last one, before it was made 1 */
	bool mixed;               /* not only the last one goes up: it must make most of the growth */
	bool with_step;           /* the first one is a step, which must go up as well */
	double common;            /* what the last one, before it was made orthogonal, has of the first one */
};
SNAP_VECTOR(shape_list, struct shape);
SNAP_VECTOR(vector_list, double);

struct snap_trend_shapes {
	const struct snap_trend_clock *clock;
	size_t n;
	struct shape_list shapes;
	struct vector_list vectors; /* n numbers each; all have mean 0 */
	bool has_load;
	double load[TREND_POINTS_MAX];                        /* orthonormal to 1 */
	double line[TREND_POINTS_MAX], line2[TREND_POINTS_MAX]; /* the clocks, orthonormal to 1 and load */
	bool has_line, has_line2;
};

/* Noise that is allowed for, as a part of the range of a curve. */
#define NOISE 0.015

/* The part of the growth that a line must make beside a warm-up. */
#define MIXED_MOST 0.5

/* A fall by more than this part of the range speaks against a leak, and the more the fewer points there are. */
#define FALLS_WEIGHT  300 /* by the squared number of points */
#define FALLS_ALLOWED .2

/* Growth that stops before the end speaks against a leak; with few points that may be chance. */
#define STOPS_WEIGHT 1.5
enum { STOPS_POINTS_MIN = 10, STEPS_POINTS_MIN = 10, TWO_STEPS_POINTS_MIN = 5 };

static double dot(const double *a, const double *b, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* Makes v orthogonal to 1 and to `count` vectors, and of length 1; returns the length before, 0 when nothing is
 * left of it. */
static double orthonormalise(double *v, size_t n, const double *others, size_t count)
{
	double mean = 0, before = 0;
	for (size_t i = 0; i < n; i++)
		mean += v[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		v[i] -= mean;
	before = dot(v, v, n);
	for (size_t k = 0; k < count; k++) {
		double part = dot(v, others + k * n, n);
		for (size_t i = 0; i < n; i++)
			v[i] -= part * others[k * n + i];
	}
	double length = sqrt(dot(v, v, n));
	if (before <= 0 || length < 1e-6 * sqrt(before))
		return 0;
	for (size_t i = 0; i < n; i++)
		v[i] /= length;
	return length;
}

/* A shape of the given curves, one or two, and before them with the load. One that differs in nothing from
 * simpler ones is left out. */
static enum snap_status add_shape(struct snap_trend_shapes *s, struct shape shape, const double *const *curves,
				  size_t count, bool with_load, struct snap_error *err)
{
	double made[VECTORS_MAX * TREND_POINTS_MAX];
	size_t n = s->n, vectors = 0;
	if (with_load) {
		memcpy(made, s->load, n * sizeof *made);
		vectors++;
		shape.parameters++;
	}
	for (size_t k = 0; k < count; k++, vectors++) {
		memcpy(made + vectors * n, curves[k], n * sizeof *made);
		shape.common = dot(made, curves[k], n);
		shape.length = orthonormalise(made + vectors * n, n, made, vectors);
		if (shape.length <= 0)
			return SNAP_OK;
	}
	shape.first = s->vectors.count;
	shape.count = vectors;
	enum snap_status status = snap_vector_reserve(&s->vectors, s->vectors.count + vectors * n, NULL, err);
	if (status < 0)
		return status;
	if (vectors > 0)
		memcpy(s->vectors.at + s->vectors.count, made, vectors * n * sizeof *made);
	s->vectors.count += vectors * n;
	return snap_vector_push(&s->shapes, shape, NULL, err);
}

/* Curves that level off, in the order 1 - e^(-u/a), log(1 + u/a), min(u/a, 1). */
static const double saturating[] = {.02,  .05, .1,  .15, .22, .3,  .0025, .005, .01, .02, .04,
				    .08, .15, .1,  .2,  .3,  .4,  .5,   .6,   .7};
enum { EXPONENTIALS = 6, LOGARITHMS = 7, SATURATING = sizeof saturating / sizeof *saturating };

static void make_saturating(size_t which, const double *u, size_t n, double *curve)
{
	double a = saturating[which];
	for (size_t i = 0; i < n; i++)
		curve[i] = which < EXPONENTIALS                ? 1 - exp(-u[i] / a)
			   : which < EXPONENTIALS + LOGARITHMS ? log1p(u[i] / a)
							       : fmin(u[i] / a, 1);
}

/* Shapes of what is no leak. */
static enum snap_status add_others(struct snap_trend_shapes *s, const double *u, bool with_load,
				   struct snap_error *err)
{
	size_t n = s->n;
	double curve[TREND_POINTS_MAX];
	const double *const curves[] = {curve};
	enum snap_status status =
		add_shape(s, (struct shape){.kind = SHAPE_CONSTANT, .parameters = 1}, NULL, 0, with_load, err);
	if (with_load && n < 10)
		return status;
	for (size_t step = 1; step < n && status == SNAP_OK; step++) {
		for (size_t i = 0; i < n; i++)
			curve[i] = i >= step;
		status = add_shape(s, (struct shape){.kind = SHAPE_STEP, .parameters = 3, .start = u[step]}, curves,
				   1, with_load, err);
	}
	for (size_t k = 0; k < SATURATING && status == SNAP_OK; k++) {
		if (with_load && k >= EXPONENTIALS)
			break;
		make_saturating(k, u, n, curve);
		status = add_shape(s, (struct shape){.kind = SHAPE_SATURATING, .parameters = 3}, curves, 1,
				   with_load, err);
	}
	return status;
}

static enum snap_status add_leaks(struct snap_trend_shapes *s, struct snap_error *err)
{
	static const double starts[] = {.1, .2, .3, .4, .5, .6, .7};
	size_t n = s->n;
	const double *u = s->clock->u, *second = s->clock->second;
	size_t clocks = s->clock->has_second ? 2 : 1;
	double curve[TREND_POINTS_MAX], level[TREND_POINTS_MAX];
	const double *const curves[] = {curve}, *const lines[] = {u, second};
	enum snap_status status = SNAP_OK;
	for (size_t c = 0; c < clocks && status == SNAP_OK; c++) {
		struct shape line = {.kind = SHAPE_LINE, .leak = true, .parameters = 2};
		status = add_shape(s, line, &lines[c], 1, false, err);
		if (status == SNAP_OK && s->has_load)
			status = add_shape(s, line, &lines[c], 1, true, err);
	}
	for (size_t i = 0; i < n; i++)
		curve[i] = u[i] * u[i];
	if (status == SNAP_OK)
		status = add_shape(s, (struct shape){.kind = SHAPE_SQUARE, .leak = true, .parameters = 2}, curves, 1,
				   false, err);
	if (n < 7)
		return status;
	for (size_t c = 0; c < clocks; c++)
		for (size_t k = 0; k < sizeof starts / sizeof *starts && status == SNAP_OK; k++) {
			for (size_t i = 0; i < n; i++)
				curve[i] = fmax(lines[c][i] - starts[k], 0);
			size_t first = 0;
			while (lines[c][first] < starts[k])
				first++;
			status = add_shape(s,
					   (struct shape){.kind = SHAPE_LATE, .leak = true, .parameters = 3,
							  .start = c == 0 ? starts[k] : u[first]},
					   curves, 1, false, err);
		}
	/* A container that leaks doubles its table once, and what leaks may load something as well. */
	for (size_t c = 0; c < clocks && n >= STEPS_POINTS_MIN; c++)
		for (size_t step = 1; step < n && status == SNAP_OK; step++) {
			for (size_t i = 0; i < n; i++)
				level[i] = i >= step;
			const double *const both[] = {level, lines[c]};
			status = add_shape(s, (struct shape){.kind = SHAPE_LINE, .leak = true, .mixed = true,
							  .with_step = true, .parameters = 4},
					   both, 2, false, err);
		}
	for (size_t c = 0; c < clocks && status == SNAP_OK; c++)
		for (size_t k = 0; k < EXPONENTIALS && status == SNAP_OK; k++) {
			make_saturating(k, u, n, level);
			const double *const both[] = {level, lines[c]};
			status = add_shape(s, (struct shape){.kind = SHAPE_LINE, .leak = true, .mixed = true, .parameters = 4},
					   both, 2, false, err);
		}
	return status;
}

enum snap_status snap_trend_shapes_new(struct snap_trend_shapes **out, const struct snap_trend_clock *clock,
				       struct snap_error *err)
{
	struct snap_trend_shapes *s = calloc(1, sizeof *s);
	*out = s;
	if (s == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	s->clock = clock;
	s->n = clock->n;
	size_t room = s->n * sizeof *s->load;
	memcpy(s->load, clock->load, room);
	s->has_load = clock->has_load && orthonormalise(s->load, s->n, NULL, 0) > 0;
	memcpy(s->line, clock->u, room);
	s->has_line = orthonormalise(s->line, s->n, s->load, s->has_load) > 0;
	memcpy(s->line2, clock->second, room);
	s->has_line2 = clock->has_second && orthonormalise(s->line2, s->n, s->load, s->has_load) > 0;
	enum snap_status status = add_others(s, clock->u, false, err);
	if (status == SNAP_OK && s->has_load)
		status = add_others(s, clock->u, true, err);
	/* Caches fill with the work that there is. */
	if (status == SNAP_OK && clock->has_second)
		status = add_others(s, clock->second, false, err);
	return status < 0 ? status : add_leaks(s, err);
}

void snap_trend_shapes_free(struct snap_trend_shapes *s)
{
	if (s == NULL)
		return;
	snap_vector_free(&s->shapes, NULL);
	snap_vector_free(&s->vectors, NULL);
	free(s);
}

/* What each half of a score, of bytes or of blocks, is made of. */
struct features {
	double line;  /* signed part of the variance that a line explains */
	double early; /* how far growth runs before an even one */
	double stops; /* from 0 to 1: how little it grew in the last quarter of the clock */
	double falls; /* what is taken off the score for its largest fall */
	struct snap_trend_fit fit;
};

static double line_explains(const struct snap_trend_shapes *s, const double *centred, double square)
{
	size_t n = s->n;
	double part = s->has_load ? dot(s->load, centred, n) : 0, rest = square - part * part, best = -1;
	if (rest <= 1e-12 * square)
		return 0;
	if (s->has_line) {
		double up = dot(s->line, centred, n);
		best = copysign(fmin(up * up / rest, 1), up);
	}
	if (s->has_line2) {
		double up = dot(s->line2, centred, n);
		best = fmax(best, copysign(fmin(up * up / rest, 1), up));
	}
	return best;
}

/* Against one clock. */
static double earlier_than(const double *y, const double *clock, size_t n)
{
	double up = 0, sum = 0, most = 0;
	for (size_t i = 1; i < n; i++)
		up += fmax(y[i] - y[i - 1], 0);
	for (size_t i = 1; i < n && up > 0; i++) {
		sum += fmax(y[i] - y[i - 1], 0);
		most = fmax(most, sum / up - clock[i]);
	}
	return most;
}

static double middle_of(double a, double b, double c)
{
	return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Growth in the last quarter that is less than a third of an even one, by medians of three points. */
static double stops(const double *y, const double *clock, size_t n)
{
	size_t from = n - 2;
	while (from > 1 && clock[from] > .75)
		from--;
	double begin = middle_of(y[0], y[1], y[2]), end = middle_of(y[n - 3], y[n - 2], y[n - 1]);
	double before = middle_of(y[from - 1], y[from], y[from + 1]);
	if (end <= begin)
		return 1;
	double late = (end - before) / (end - begin) / (1 - clock[from]);
	return fmax(fmin(1 - 3 * late, 1), 0);
}

/* Lag-1 autocorrelation of what a shape leaves of a curve. */
static double lag_of(const struct snap_trend_shapes *s, const struct shape *shape, const double *centred)
{
	double rest[TREND_POINTS_MAX], product = 0;
	size_t n = s->n;
	memcpy(rest, centred, n * sizeof *rest);
	for (size_t k = 0; k < shape->count; k++) {
		const double *v = s->vectors.at + shape->first + k * n;
		double part = dot(v, centred, n);
		for (size_t i = 0; i < n; i++)
			rest[i] -= part * v[i];
	}
	double square = dot(rest, rest, n);
	for (size_t i = 1; i < n; i++)
		product += rest[i] * rest[i - 1];
	double lag = square > 1e-12 ? product / square : 0;
	return lag < 0 ? 0 : lag > .9 ? .9 : lag;
}

/* What a second step, beside the best first one, leaves of a curve: reloads come more than once. */
static double second_step(const struct snap_trend_shapes *s, const struct shape *step, const double *centred,
			  double rest)
{
	size_t n = s->n;
	const double *first = s->vectors.at + step->first;
	double of_first = dot(first, centred, n), least = rest;
	for (size_t k = 0; k < s->shapes.count; k++) {
		const struct shape *shape = &s->shapes.at[k];
		if (shape->kind != SHAPE_STEP || shape->count != 1 || shape == step)
			continue;
		const double *v = s->vectors.at + shape->first;
		double common = dot(v, first, n), length = 1 - common * common;
		if (length < 1e-9)
			continue;
		double up = dot(v, centred, n) - common * of_first;
		least = fmin(least, rest - up * up / length);
	}
	return fmax(least, 0);
}

static double criterion(double rest, double parameters, double points)
{
	return points * log((fmax(rest, 0) + points * NOISE * NOISE) / points) + parameters * log(points);
}

static struct features look_at(const struct snap_trend_shapes *s, const double *y)
{
	struct features f = {.fit = {.best = SHAPE_CONSTANT, .leak = SHAPE_LINE}};
	double centred[TREND_POINTS_MAX], least = y[0], most = y[0], mean = 0;
	size_t n = s->n;
	for (size_t i = 0; i < n; i++) {
		least = fmin(least, y[i]);
		most = fmax(most, y[i]);
		mean += y[i] / (double)n;
	}
	if (most <= least)
		return f;
	for (size_t i = 0; i < n; i++)
		centred[i] = (y[i] - mean) / (most - least);
	double square = dot(centred, centred, n), points = (double)n;
	double best_leak = INFINITY, best_other = INFINITY, best_line = INFINITY, best_square = INFINITY;
	double best_step = INFINITY, step_rest = 0;
	const struct shape *leak = NULL, *other = NULL, *step = NULL;
	for (size_t k = 0; k < s->shapes.count; k++) {
		const struct shape *shape = &s->shapes.at[k];
		double rest = square, up = 0, first_up = 0;
		for (size_t v = 0; v < shape->count; v++) {
			up = dot(s->vectors.at + shape->first + v * n, centred, n);
			first_up = v == 0 ? up : first_up;
			rest -= up * up;
		}
		if (shape->leak && up <= 0)
			continue;
		if (shape->mixed && up / shape->length < MIXED_MOST * (centred[n - 1] - centred[0]))
			continue;
		if (shape->with_step && first_up <= up / shape->length * shape->common)
			continue;
		double bic = criterion(rest, shape->parameters, points);
		if (shape->kind == SHAPE_STEP && shape->count == 1 && bic < best_step) {
			best_step = bic;
			step = shape;
			step_rest = rest;
		}
		if (shape->leak && bic < best_leak) {
			best_leak = bic;
			leak = shape;
		}
		if (!shape->leak && bic < best_other) {
			best_other = bic;
			other = shape;
		}
		if (shape->kind == SHAPE_LINE)
			best_line = fmin(best_line, bic);
		if (shape->kind == SHAPE_SQUARE)
			best_square = fmin(best_square, bic);
	}
	if (step != NULL && n >= TWO_STEPS_POINTS_MIN) {
		double bic = criterion(second_step(s, step, centred, step_rest), 5, points);
		if (bic < best_other) {
			best_other = bic;
			other = step;
		}
	}
	f.line = line_explains(s, centred, square);
	f.stops = n < STOPS_POINTS_MIN ? 0 : stops(y, s->clock->u, n);
	if (f.stops > 0 && s->clock->has_second)
		f.stops = fmin(f.stops, stops(y, s->clock->second, n));
	size_t count;
	double fall = snap_trend_drawdown(y, n, &count);
	f.falls = FALLS_WEIGHT / points / points * fmax(fall - FALLS_ALLOWED, 0);
	f.early = earlier_than(y, s->clock->u, n);
	if (s->clock->has_second)
		f.early = fmin(f.early, earlier_than(y, s->clock->second, n));
	f.fit.best = other->kind;
	if (leak == NULL) {
		f.fit.gain = -10;
		return f;
	}
	f.fit.lag = lag_of(s, leak, centred);
	f.fit.leak = leak->kind;
	f.fit.start = leak->start;
	f.fit.best = best_leak < best_other ? leak->kind : other->kind;
	/* What a shape that is wrong leaves is no noise: the one that leaves less tells how much that repeats. */
	double lag = best_leak < best_other ? f.fit.lag : lag_of(s, other, centred);
	f.fit.gain = (1 - lag) / (1 + lag) * (best_other - best_leak) / 2;
	f.fit.square_gain = isfinite(best_square) ? fmin(best_line - best_square, 100) / 2 : -100;
	return f;
}

/* The weights are those of a logistic regression that a prototype made on series of its own, but for the last
 * one, which was chosen on the first seeds of tests/leakbench. */
static double logit(const struct features *f, double growth)
{
	double gain = fmax(fmin(f->fit.gain, 10), -10);
	return 1.0 + 2.2 * growth - 1.3 * log(1.02 - f->line) - 3.2 * f->early + .25 * gain -
	       STOPS_WEIGHT * f->stops - f->falls;
}

struct snap_trend_fit snap_trend_fit(const struct snap_trend_shapes *s, const double *bytes,
				     const double *blocks, double heap)
{
	size_t last = s->n - 1;
	double growth = heap > 0 ? (bytes[last] - bytes[0]) / heap : 0;
	growth = log10(fmax(fmin(growth, 1), 1e-5));
	struct features of_bytes = look_at(s, bytes);
	double z = logit(&of_bytes, growth);
	/* Containers double: their bytes are stairs where their blocks are a line. */
	if (blocks[last] - blocks[0] > 16) {
		struct features of_blocks = look_at(s, blocks);
		z = (z + logit(&of_blocks, growth)) / 2;
	}
	of_bytes.fit.score = 1 / (1 + exp(-z));
	return of_bytes.fit;
}
