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
