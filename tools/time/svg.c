// SPDX-License-Identifier: MIT
/* DOC: What the plots draw with */
#include <math.h>

#include "svg.h"

static const char *const anchors[] = { "start", "middle", "end" };

static void escaped(FILE *f, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		default:
			/* XML has no control characters. */
			fputc((unsigned char)*text < 0x20 ? ' ' : *text, f);
		}
	}
}

void svg_text(FILE *f, double x, double y, enum svg_anchor anchor,
	      const char *text)
{
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y,
		anchors[anchor]);
	escaped(f, text);
	fputs("</text>\n", f);
}

void svg_begin(FILE *f, const char *title, const char *subtitle)
{
	fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n",
		SVG_WIDTH, SVG_HEIGHT, SVG_WIDTH, SVG_HEIGHT);
	fputs("<title>", f);
	escaped(f, title);
	fputs("</title>\n", f);
	svg_box(f, 0, 0, SVG_WIDTH, SVG_HEIGHT, "#ffffff");
	fprintf(f, "<text x=\"%d\" y=\"26\" font-size=\"17\">", SVG_LEFT);
	escaped(f, title);
	fprintf(f, "</text>\n<g fill=\"%s\">", SVG_GREY);
	svg_text(f, SVG_LEFT, 46, SVG_START, subtitle);
	fputs("</g>\n", f);
}

void svg_end(FILE *f)
{
	fputs("</svg>\n", f);
}

void svg_line(FILE *f, double x1, double y1, double x2, double y2,
	      const char *colour, double width)
{
	fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n",
		x1, y1, x2, y2, colour, width);
}

void svg_box(FILE *f, double x, double y, double width, double height,
	     const char *colour)
{
	fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
		x, y, width, height, colour);
}

void svg_dot(FILE *f, double x, double y, unsigned int number,
	     const char *colour, const char *title)
{
	fputs("<g><title>", f);
	escaped(f, title);
	fprintf(f, "</title><circle cx=\"%.1f\" cy=\"%.1f\" r=\"9\" fill=\"%s\" fill-opacity=\"0.85\" stroke=\"#ffffff\"/>\n",
		x, y, colour);
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"10\" fill=\"#ffffff\">%u</text></g>\n",
		x, y + 3.5, number);
}

void svg_frame(FILE *f, const char *x_label, const char *y_label)
{
	const double middle = (SVG_TOP + SVG_BOTTOM) / 2.0;

	svg_line(f, SVG_LEFT, SVG_TOP, SVG_LEFT, SVG_BOTTOM, "#000000", 1);
	svg_line(f, SVG_LEFT, SVG_BOTTOM, SVG_RIGHT, SVG_BOTTOM, "#000000", 1);
	fputs("<g font-size=\"13\">", f);
	svg_text(f, (SVG_LEFT + SVG_RIGHT) / 2.0, SVG_BOTTOM + 44, SVG_MIDDLE,
		 x_label);
	fprintf(f, "<g transform=\"translate(24 %.1f) rotate(-90)\">", middle);
	svg_text(f, 0, 0, SVG_MIDDLE, y_label);
	fputs("</g></g>\n", f);
}

void svg_number(char *buf, size_t len, double value)
{
	static const char *const unit[] = { "", "k", "M", "G", "T", "P", "E" };
	unsigned int i = 0;

	while (fabs(value) >= 999.5 && i < 6) {
		value /= 1000;
		i++;
	}
	snprintf(buf, len, "%.3g%s%s", value, i ? " " : "", unit[i]);
}
