/* SPDX-License-Identifier: MIT */
/* DOC: What the plots draw with */
#ifndef LOOM_TIME_SVG_H
#define LOOM_TIME_SVG_H

#include <stdio.h>

/* The page, and the frame of the axes on it. */
#define SVG_WIDTH	960
#define SVG_HEIGHT	560
#define SVG_LEFT	84
#define SVG_TOP		64
#define SVG_RIGHT	680
#define SVG_BOTTOM	488

#define SVG_BLUE	"#2166ac"
#define SVG_ORANGE	"#d95f02"
#define SVG_GREEN	"#1b7837"
#define SVG_GREY	"#777777"
#define SVG_LIGHT	"#dddddd"

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };

void svg_begin(FILE *f, const char *title, const char *subtitle);
void svg_end(FILE *f);
void svg_line(FILE *f, double x1, double y1, double x2, double y2,
	      const char *colour, double width);
void svg_box(FILE *f, double x, double y, double width, double height,
	     const char *colour);
/** svg_dot() - a numbered dot; @title shows when the mouse is over it */
void svg_dot(FILE *f, double x, double y, unsigned int number,
	     const char *colour, const char *title);
void svg_text(FILE *f, double x, double y, enum svg_anchor anchor,
	      const char *text);
void svg_frame(FILE *f, const char *x_label, const char *y_label);
/** svg_number() - short text of a number, with k, M, G ... for thousands */
void svg_number(char *buf, size_t len, double value);

#endif
