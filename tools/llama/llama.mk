# SPDX-License-Identifier: MIT
# llama.cpp on the card.  PROMPT, MODEL, TOKENS; VM=0: without a VM.

LLAMA_ARGS = $(if $(PROMPT),--prompt '$(subst ','\'',$(PROMPT))') \
	     $(if $(MODEL),--model '$(MODEL)') \
	     $(if $(TOKENS),--tokens '$(TOKENS)')

.PHONY: llama
ifeq ($(VM),0)
llama: all
	@tools/llama/loom-llama --sim $(LLAMA_ARGS)
else
llama:
	@tools/env/setup.sh all
	@tools/llama/loom-llama $(LLAMA_ARGS)
endif

# Every operation of ggml against its CPU backend; rewrites the table in
# Documentation/ggml.rst.  It takes half an hour and more.
.PHONY: llama-ops
llama-ops: all
	@tools/llama/conformance

# Speed beside ggml's CPU backend; BENCH="--no-vm" passes options on.
.PHONY: bench-llama
bench-llama:
	@tools/env/setup.sh all
	@tools/llama/bench-llama $(BENCH)
