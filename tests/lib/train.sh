# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Shared by the training tests: a short run of loom-train.

. tests/lib/tap.sh

# train DEVICE PREFIX - one epoch of 20,000 images; PREFIX.json and PREFIX.hash
train() {
	build/bin/loom-train -d "$1" --epochs 1 --limit 20000 --seed 3 \
		--json "$2.json" || return 1
	/usr/bin/python3 - "$2.json" >"$2.hash" <<-'PY'
		import json, sys
		print(json.load(open(sys.argv[1]))["hash"])
	PY
}

# learned PREFIX - was the accuracy far from chance?
learned() {
	/usr/bin/python3 - "$1.json" <<-'PY'
		import json, sys
		accuracy = json.load(open(sys.argv[1]))["test_accuracy"]
		print(f"# accuracy after one short epoch: {accuracy}")
		sys.exit(not accuracy > 0.75)
	PY
}
