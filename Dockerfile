# The tap alone, with every way to sign in. Settings come from environment variables:
#   docker build --tag tap-dynamics365 .
#   docker run --rm --env-file .env tap-dynamics365 --discover > catalog.json
FROM python:3.13-slim AS build
WORKDIR /source
# Before the tap, so that Docker keeps this step until a dependency changes.
COPY requirements.lock ./
RUN python -m venv /tap && \
    /tap/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY tap_dynamics365 tap_dynamics365
COPY pyspark_dynamics365 pyspark_dynamics365
RUN /tap/bin/pip install --no-cache-dir --no-deps . && /tap/bin/pip check

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 tap
COPY --from=build /tap /tap
ENV PATH=/tap/bin:$PATH
# A number, so that Kubernetes can see that it is not root.
USER 10001
WORKDIR /home/tap
ENTRYPOINT ["tap-dynamics365", "--config=ENV"]
