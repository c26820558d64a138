#!/bin/bash
# SPDX-License-Identifier: MIT
#
# ktap.sh < KTAP - the cases of KUnit's nested output as flat TAP
#
# Cases become "suite.case"; the lines of suites go, for they repeat their
# cases.  A failure's explanation stays above its line.  Fails when a case did,
# when a suite ended early, or when there is no suite.

exec awk '
	/^ +# Subtest: / { suite = $3; next }
	/^ +1\.\.[0-9]+$/ { sub(/^ +1\.\./, ""); planned += $0; next }
	/^ +(not )?ok [0-9]+ / {
		good = $1 == "ok"
		name = good ? $3 : $4
		rest = $0
		# What follows the name is a directive, such as # SKIP.
		sub(/^ +(not )?ok [0-9]+ +(- )?[^ ]+/, "", rest)
		printf "%s %d %s.%s%s\n", good ? "ok" : "not ok", ++n, suite, name, rest
		bad += !good
		next
	}
	/^ +#/ { sub(/^ +/, ""); print }
	END {
		if (n != planned || !n)
			printf "not ok %d %d cases were planned and %d ran\n", n + 1, planned, n
		exit bad || n != planned || !n
	}'
