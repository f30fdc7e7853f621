"""Write trained models as GGUF: `python -m training.export --work FOLDER [--models p1 p2]`.

Makes f16 files in the folder of the run and q8_0 files, with their SHA256SUMS, beside the package's other data.
"""

import argparse
import hashlib
import json
from pathlib import Path

import gguf
import numpy as np
from torch import Tensor

from training import model as models
from training.files import whole, write_text
from training.model import Llama
from training.tokenizer import ASSISTANT, BOS, END, FRAME, SPECIALS, USER, VOCABULARY

MEMBERS = ("p1", "p2", "p3", "p4", "aggregator")
EMBEDDED = Path("src/moa/embedded")
BOS_TEXT, USER_TEXT, ASSISTANT_TEXT, END_TEXT = (SPECIALS[i] for i in (BOS, USER, ASSISTANT, END))
# A system message is put in front of the user's text. llama.cpp adds no bos of its own to a template that begins with
# one.
CHAT_TEMPLATE = (
    "{%- set ns = namespace(system='') -%}"
    "{{- '" + BOS_TEXT + "' -}}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'system' -%}"
    "{%- set ns.system = message['content'] + '\\n\\n' -%}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{- '" + ASSISTANT_TEXT + "' + message['content'] + '" + END_TEXT + "' -}}"
    "{%- else -%}"
    "{{- '" + USER_TEXT + "' + ns.system + message['content'] -}}"
    "{%- set ns.system = '' -%}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '" + ASSISTANT_TEXT + "' -}}{%- endif -%}"
)
Quantization = gguf.GGMLQuantizationType
KINDS = {
    "f16": (Quantization.F16, Quantization.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (Quantization.Q8_0, Quantization.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (Quantization.Q4_0, Quantization.Q8_0, gguf.LlamaFileType.MOSTLY_Q4_0),
}
"""What the matrices of the layers, and the embedding, are kept in. On AVX2 llama.cpp needs a fifth less time for q4_0
than for q8_0, and the models lose one point by it, or two."""


def add_shape(writer: gguf.GGUFWriter, model: Llama) -> None:
    shape = model.shape
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_vocab_size(shape.vocabulary)


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Path, framed: bool) -> None:
    data = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]
    symbols = sorted(data["vocab"], key=data["vocab"].get)
    kinds = [gguf.TokenType.CONTROL if symbol in SPECIALS else gguf.TokenType.NORMAL for symbol in symbols]
    if framed:
        symbols += FRAME
        kinds += [gguf.TokenType.USER_DEFINED] * len(FRAME)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(symbols)
    writer.add_token_types(kinds)
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in data["merges"]])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(END)
    writer.add_eot_token_id(END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def add_tensor(writer: gguf.GGUFWriter, name: str, weight: Tensor, kind: Quantization) -> None:
    values = weight.detach().float().numpy()
    if values.ndim == 1:
        writer.add_tensor(name, values)
    else:
        writer.add_tensor(name, np.asarray(gguf.quants.quantize(values, kind)), raw_dtype=kind)


def export(name: str, work: Path, path: Path, kind: str) -> None:
    """One model of the run's folder as one GGUF file; the tied output matrix is left out, as llama.cpp expects."""
    model = models.load(work / f"{name}.pt")
    layers, embedding, file_type = KINDS[kind]
    with whole(path) as temporary:
        writer = gguf.GGUFWriter(temporary, "llama")
        writer.add_name(f"moa {name}")
        writer.add_file_type(file_type)
        add_shape(writer, model)
        add_tokenizer(writer, work / "tokenizer.json", framed=model.shape.vocabulary > VOCABULARY)
        for parameter, weight in model.state_dict().items():
            add_tensor(writer, parameter, weight, layers if parameter.startswith("blk.") else embedding)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def write_sums(folder: Path) -> None:
    """SHA256SUMS of every GGUF file of a folder, as `sha256sum --check` reads it."""
    files = sorted(folder.glob("*.gguf"))
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    write_text(folder / "SHA256SUMS", "".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of tokenizer.json and the checkpoints")
    parser.add_argument("--models", nargs="+", choices=MEMBERS, default=MEMBERS)
    parser.add_argument("--out", type=Path, default=EMBEDDED, help="where the q4_0 files go")
    args = parser.parse_args()
    for name in args.models:
        for kind in ("f16", "q8_0"):
            export(name, args.work, args.work / f"{name}.{kind}.gguf", kind)
        export(name, args.work, args.out / f"{name}.gguf", "q4_0")
    write_sums(args.out)


if __name__ == "__main__":
    main()
