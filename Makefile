# Two commands on a fresh machine: `make demo` and `make test`. Both install into .venv first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

export ORT_DISABLE_TELEMETRY := 1
export BENTOML_DO_NOT_TRACK := true

.PHONY: install demo test check format results directions transfer-studies study families diffusion export-formats serve-bench corrupt container clean help

help:
	@echo "make install   install everything into .venv (the others do it too)"
	@echo "make demo      the whole path on simulated minerals: fit, export, serve, report (build/demo)"
	@echo "make test      lint, types, import rules and all tests"
	@echo "make results   measure the README's figures on real spectra in DATA (resumable; about 2 h)"
	@echo "make directions       transfers from infrared and diffraction, likewise (resumable; about 30 min)"
	@echo "make transfer-studies what each lever of transfer is worth, and what transfers are good for (resumable; about 1 h)"
	@echo "make study     whether synthetic spectra help on unseen patients, in DATA (resumable; about 1 h)"
	@echo "make families  every generator family side by side on real spectra in DATA (resumable; about 1 h)"
	@echo "make diffusion quality by network evaluations, on few spectra, and told amounts, in DATA (resumable; about 1.5 h)"
	@echo "make export-formats   every family in every format: size, nodes, deviation, milliseconds (about 10 min)"
	@echo "make serve-bench      what serving costs and bears, beside a real Triton and BentoML's own JSON (about 15 min)"
	@echo "make corrupt   change a random byte of BUNDLE a thousand times, and count the refusals"
	@echo "make container build the serving image with podman, run it locked down, and call it"
	@echo "make format    format the code"

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(INSTALLED)

install: $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/lineshape demo --out build/demo

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy core edge training export serving scripts
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -n 2 --dist worksteal

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

DATA ?= ../shared/data
BENCH := $(BIN)/lineshape bench transfer --protocol random --protocol id --protocol mineral --jobs 2 -o docs/results/transfer.json
RRUFF := $(DATA)/rruff
PAIRS_IR := --data $(RRUFF)/raman_ir_pairs.npz --references $(RRUFF)/raman_minerals.npz
PAIRS_XRD := --data $(RRUFF)/raman_xrd_pairs.npz --references $(RRUFF)/raman_minerals.npz
results: $(INSTALLED)
	mkdir -p build/transfer
	$(BENCH) raman-to-ir $(PAIRS_IR) --repeats 3 --picture build/transfer/raman-ir.png
	$(BENCH) raman-to-xrd $(PAIRS_XRD) --picture build/transfer/raman-xrd.png

# What the levers are worth, the other directions, and what transfers are good for; resumable (build/transfer).
ABLATION = $(BIN)/lineshape bench transfer-ablation --jobs 2 -o docs/results/transfer-ablation.json
STUDIES = $(BIN)/lineshape bench transfer-studies --jobs 2 -o docs/results/transfer-studies.json
OTHER = $(BIN)/lineshape bench transfer --protocol mineral --jobs 2 -o docs/results/transfer-directions.json
directions: $(INSTALLED)
	mkdir -p build/transfer
	$(BIN)/lineshape join $(RRUFF)/raman_ir_pairs.npz $(RRUFF)/raman_xrd_pairs.npz --by rruff_id -o build/transfer/ir_xrd.npz
	$(OTHER) ir-to-raman --data $(RRUFF)/raman_ir_pairs.npz
	$(OTHER) ir-to-xrd --data build/transfer/ir_xrd.npz
	$(OTHER) xrd-to-ir --data build/transfer/ir_xrd.npz
	$(OTHER) xrd-to-raman --data $(RRUFF)/raman_xrd_pairs.npz

transfer-studies: $(INSTALLED)
	$(ABLATION) raman-to-ir $(PAIRS_IR)
	$(STUDIES) raman-to-ir $(PAIRS_IR) --labels $(RRUFF)/raman_minerals.npz
	$(STUDIES) raman-to-xrd $(PAIRS_XRD) --labels $(RRUFF)/raman_minerals.npz

# Each table is one command; its cells are kept in build/study, so a study that was stopped goes on.
STUDY = $(BIN)/lineshape validate --study --jobs 2 --work build/study --json
SALIVA = $(STUDY) --data $(DATA)/clinical/saliva_covid.npz --modality raman --group patient
AUGMENTED := --method classical --method smote --method spectral-smote
CORN = LINESHAPE_DATA=$(DATA) $(STUDY) --data corn --step snv --method classical --method spectral-smote
study: $(INSTALLED)
	mkdir -p build
	$(SALIVA) --protocol group $(AUGMENTED) --method adasyn --method saliva-vae > build/saliva-covid.json
	$(SALIVA) --protocol spectrum --method none > build/saliva-covid-by-spectrum.json
	$(SALIVA) --protocol imbalance $(AUGMENTED) > build/saliva-covid-imbalance.json
	$(SALIVA) --protocol curve $(AUGMENTED) --method saliva-vae > build/saliva-covid-curve.json
	$(CORN) --protocol group --protocol instrument --analyte Moisture > build/corn-moisture.json
	LINESHAPE_DATA=$(DATA) $(STUDY) --data rruff-raman --folds 2 --method classical --protocol instrument > build/rruff-laser.json
	$(BIN)/lineshape bench metrics -o docs/results/metrics.json
	mv build/saliva-covid*.json build/corn-moisture.json build/rruff-laser.json docs/results/

# Every family on groups that were held out, beside its baselines; resumable (build/families).
FAMILIES = $(BIN)/lineshape bench families --jobs 2 -o docs/results/families.json
families: $(INSTALLED)
	$(FAMILIES) saliva --data $(DATA)/clinical/saliva_covid.npz --picture build/families/saliva.png
	$(FAMILIES) minerals --data $(DATA)/rruff/raman_minerals.npz --picture build/families/minerals.png
	$(FAMILIES) isolates --data $(DATA)/maldi/isolates.npz --folds 5 --used 1 --picture build/families/isolates.png
	$(SALIVA) --protocol group --probe CNN --method classical --method saliva-cwgan-gp > build/saliva-cnn.json
	$(STUDY) --data $(DATA)/rruff/raman_minerals.npz --modality raman --label mineral --group rruff_id --class-size 10 --folds 3 \
		--probe ResNet --method classical --method minerals-bayesop-gan > build/minerals-resnet.json
	mv build/saliva-cnn.json build/minerals-resnet.json docs/results/

# Diffusion and flow: by the number of evaluations, on few spectra, and told amounts; resumable (build/steps, families, analytes).
STEPS = $(BIN)/lineshape bench steps --jobs 2 -o docs/results/steps.json
FEW = $(BIN)/lineshape bench families saliva --data $(DATA)/clinical/saliva_covid.npz --used 1 --jobs 2 -o docs/results/difframan.json \
	--family difframan --family difframan-figure --family ddpm --family cvae --family cwgan-gp
ANALYTES = $(BIN)/lineshape bench analytes --repeats 20 --jobs 2 -o docs/results/analytes.json
diffusion: $(INSTALLED)
	mkdir -p build/steps
	$(STEPS) minerals --data $(DATA)/rruff/raman_minerals.npz --seeds 3 --picture build/steps/minerals.png
	$(STEPS) saliva --data $(DATA)/clinical/saliva_covid.npz --seeds 1 --picture build/steps/saliva.png
	$(FEW) --most 20
	$(FEW) --most 50
	$(FEW)
	LINESHAPE_DATA=$(DATA) $(ANALYTES) tablets-mlp-diffusion --data tablets
	LINESHAPE_DATA=$(DATA) $(ANALYTES) soil-mlp-diffusion --data soil

export-formats: $(INSTALLED)
	$(BIN)/lineshape bench export -o docs/results/export.json

# Two short fits on simulated spectra of 1,024 points: the speed of a graph does not depend on what its weights have learned.
# The VAE is narrow, so that its servers show; the flow takes a few milliseconds a spectrum.
TRITON ?= build/triton
SERVED := build/serve
SHORT := -e 's/^n = .*/n = 1024/' -e 's/^steps = .*/steps = 20/' -e 's/^evaluate_every = .*/evaluate_every = 10/' \
	-e 's/"patient"/"group"/' -e '/^label/d' -e 's/^channels = .*/channels = 4/'
serve-bench: $(INSTALLED) $(SERVED)/vae.lineshape $(SERVED)/flow.lineshape $(TRITON)
	$(BIN)/lineshape bench serve --spectra $(SERVED)/vae.lineshape --heavy $(SERVED)/flow.lineshape --triton $(TRITON) -o docs/results/serve.json

$(TRITON):
	$(BIN)/pip install --quiet --no-deps --target $@ nvidia-pytriton==0.7.0

$(SERVED)/vae.lineshape: $(SERVED)/vae
	$(BIN)/lineshape export $< --task reconstruct -o $@

$(SERVED)/flow.lineshape: $(SERVED)/flow
	$(BIN)/lineshape export $< --evaluations 10 -o $@

$(SERVED)/vae $(SERVED)/flow: $(SERVED)/%: $(SERVED)/simulated.npz
	$(BIN)/lineshape recipes saliva-$* | sed $(SHORT) > $@.toml
	$(BIN)/lineshape fit $@.toml --data $< --out $@

$(SERVED)/simulated.npz:
	mkdir -p $(SERVED)
	$(BIN)/lineshape simulate raman -o $@

BUNDLE ?= build/demo/raman-to-ir.lineshape
corrupt: $(INSTALLED) $(BUNDLE)
	$(BIN)/python scripts/corrupt.py $(BUNDLE) -n 1000

container: build/demo/raman-to-ir.lineshape  # needs podman and buildah
	scripts/container.sh $<

build/demo/raman-to-ir.lineshape:
	$(MAKE) demo

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
