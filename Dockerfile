# The one image of this project: used by the services init, exporter and responder.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1
WORKDIR /app

COPY requirements.lock ./
# The folders belong to the user who writes there, so that volumes mounted on them do too.
RUN pip install --no-cache-dir --require-hashes -r requirements.lock \
  && install -d -o 65533 -g 65533 -m 0700 /data \
  && install -d -o 65534 -g 65534 -m 0700 /inbox /prometheus /out /out/alertmanager /out/grafana /out/prometheus /out/responder

COPY docs/runbooks docs/runbooks
COPY exporter exporter
COPY init init
COPY past past
COPY responder responder
# A checkout under a strict umask is readable by its owner alone.
RUN chmod -R a+rX . && python -m compileall -q exporter init past responder

USER 65534:65534
