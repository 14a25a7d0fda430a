import sys, statistics
from bench.layers import LAYERS
from bench.tasks import TASKS
tasks=sys.argv[2].split(",") if len(sys.argv)>2 else list(TASKS)
layers=[l for l in LAYERS]
M={k:LAYERS[k]() for k in layers}
R=int(sys.argv[1])
for t in tasks:
    f=TASKS[t]; res={k:[] for k in layers}
    for k in layers: f(M[k])
    for _ in range(R):
        for k in layers: res[k].append(f(M[k]))
    med={k:statistics.median(v) for k,v in res.items()}
    add={k:v-med["none"] for k,v in med.items()}
    print(t, "none %.2f"%med["none"]," ".join("%s +%.2f"%(k,v) for k,v in add.items()), "| RATIO %.2f chunk_timing %.2f"%(add["replymeter"]/add["floor"],add["replymeter, chunk timing"]/add["floor, chunk timing"]),flush=True)
