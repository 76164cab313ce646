# The image that docs/recipes/kubernetes-cronjob.yaml runs. Build and push it to a registry of yours:
#   docker build -t registry.example.com/appfleet:0.1.0 . && docker push registry.example.com/appfleet:0.1.0
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY constraints ./constraints
COPY docs/man ./docs/man
COPY appfleet ./appfleet
COPY engine ./engine
# Nothing is installed that was not hashed, and what builds the wheel stays out of the image.
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r constraints/build.txt \
 && /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && python -m venv /opt/appfleet \
 && /opt/appfleet/bin/pip install --no-cache-dir --require-hashes -r constraints/hashed.txt \
 && /opt/appfleet/bin/pip install --no-cache-dir --no-deps --no-index /wheel/*.whl

FROM python:3.12-slim
COPY --from=build /opt/appfleet /opt/appfleet
# A number and no name, so that Kubernetes can see that the user is not root. /state is for the state folder: mount a
# volume there. /fleet is for the fleet's files: mount them, or build an image of your own with `COPY . /fleet`.
RUN mkdir -m 0755 /fleet \
 && install -d -o 10001 -g 10001 -m 0700 /state
ENV PATH=/opt/appfleet/bin:/usr/local/bin:/usr/bin:/bin \
    APPFLEET_STATE_DIR=/state/appfleet
USER 10001:10001
WORKDIR /fleet
ENTRYPOINT ["appfleet"]
CMD ["--help"]
