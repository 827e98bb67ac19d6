/* How fast a curve grows, by the median of the slopes between all pairs of points (Theil 1950, Sen 1968), which
 * outliers do not move; and how even its way up is. */
#include "ops/trend.h"

#include <math.h>
#include <stdlib.h>

enum { PAIRS_MAX = TREND_POINTS_MAX * (TREND_POINTS_MAX - 1) / 2 };

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(const double *sorted, size_t n)
{
	return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

struct snap_trend_rate snap_trend_slope(const double *x, const double *y, size_t all, double lag)
{
	size_t n = all < TREND_POINTS_MAX ? all : TREND_POINTS_MAX;
	double slopes[PAIRS_MAX];
	size_t pairs = 0;
	for (size_t j = 1; j < n; j++)
		for (size_t i = 0; i < j; i++) {
			size_t to = j * (all - 1) / (n - 1), from = i * (all - 1) / (n - 1);
			if (x[to] > x[from])
				slopes[pairs++] = (y[to] - y[from]) / (x[to] - x[from]);
		}
	if (pairs == 0)
		return (struct snap_trend_rate){NAN, NAN, NAN};
	qsort(slopes, pairs, sizeof *slopes, compare_doubles);
	/* Sen's interval by the variance of Kendall's statistic, larger where points repeat each other. */
	double points = (double)n, effective = (1 - lag) / (1 + lag);
	double width = 1.96 * sqrt(points * (points - 1) * (2 * points + 5) / 18 / effective);
	double low = floor(((double)pairs - width) / 2), high = ceil(((double)pairs + width) / 2);
	size_t last = pairs - 1;
	return (struct snap_trend_rate){
		.slope = median(slopes, pairs),
		.low = slopes[low > 0 ? (size_t)low : 0],
		.high = slopes[high < (double)last ? (size_t)high : last],
	};
}

size_t snap_trend_rising(const double *y, size_t n)
{
	size_t rising = 0;
	for (size_t i = 1; i < n; i++)
		rising += y[i] > y[i - 1];
	return rising;
}

double snap_trend_drawdown(const double *y, size_t n, size_t *falls)
{
	double least = y[0], most = y[0], height = y[0], worst = 0;
	for (size_t i = 1; i < n; i++) {
		least = y[i] < least ? y[i] : least;
		most = y[i] > most ? y[i] : most;
		height = y[i] > height ? y[i] : height;
		worst = height - y[i] > worst ? height - y[i] : worst;
	}
	*falls = 0;
	if (most <= least)
		return 0;
	height = y[0];
	for (size_t i = 1; i < n; i++) {
		if (height - y[i] >= worst / 2 && worst > 0) {
			++*falls;
			height = y[i];
		}
		height = y[i] > height ? y[i] : height;
	}
	return worst / (most - least);
}
