/* Headers and bytes of many tensors in one call, for `digest.py`, which works without it, too.

   Nothing of Python or PyTorch is included: what is used of Python is its stable ABI, declared here; tensors are
   reached through DLPack's C exchange API (`torch.Tensor.__dlpack_c_exchange_api__`, version 1). The hash stays that of
   the xxhash package. Loaded with ctypes.PyDLL: the interpreter lock is held all the time, and every address is used in
   the call that has checked it, while tensor and storage are held.

   A tensor that is not the plain kind is left to Python: other types and devices, strides that are not contiguous,
   complex numbers, negated and copy-on-write views, storages that were freed or shrunk under it. */

#include <stdint.h>
#include <string.h>

typedef struct object PyObject;
typedef intptr_t Py_ssize_t;

/* PyMethodDef */
typedef struct {
    const char *name;
    void *function;
    int flags;
    const char *doc;
} Method;

enum { TAKES_ARRAY = 0x0080, TAKES_ONE = 0x0008 }; /* METH_FASTCALL, METH_O */

extern void Py_IncRef(PyObject *);
extern void Py_DecRef(PyObject *);
extern PyObject *PyObject_Type(PyObject *);
extern PyObject *PyObject_GetAttrString(PyObject *, const char *);
extern PyObject *PyObject_CallFunctionObjArgs(PyObject *, ...);
extern PyObject *PyBytes_FromStringAndSize(const char *, Py_ssize_t);
extern char *PyBytes_AsString(PyObject *);
extern int PyBytes_AsStringAndSize(PyObject *, char **, Py_ssize_t *);
extern PyObject *PyMemoryView_FromMemory(char *, Py_ssize_t, int);
extern PyObject *PyLong_FromSsize_t(Py_ssize_t);
extern Py_ssize_t PyLong_AsSsize_t(PyObject *);
extern PyObject *PyList_GetItem(PyObject *, Py_ssize_t);
extern Py_ssize_t PyList_Size(PyObject *);
extern void *PyCapsule_GetPointer(PyObject *, const char *);
extern PyObject *PyErr_Occurred(void);
extern void PyErr_Clear(void);

enum { READ_ONLY = 0x100 }; /* PyBUF_READ */

/* DLPack 1.x */
typedef struct {
    uint32_t major, minor;
} Version;

typedef struct {
    int32_t device_type, device_id;
} Device;

typedef struct {
    uint8_t code, bits;
    uint16_t lanes;
} Dtype;

typedef struct {
    void *data;
    Device device;
    int32_t ndim;
    Dtype dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} View;

typedef struct Exchange {
    Version version;
    struct Exchange *older;
    void *allocator, *from_object, *to_object;
    int (*view_of)(void *, View *);
    void *stream;
} Exchange;

enum { ON_CPU = 1, MOST_DIMENSIONS = 64, TEXT = 32 + 24 * MOST_DIMENSIONS, BLOCK = 1 << 14, SMALL = 1 << 16 };

/* What `prepare` is given, held for good. */
static const Exchange *exchange;
static PyObject *tensor_type, *parameter_type, *int8, *uint8, *none, *no, *storage_of, *size_of, *offset_of, *is_negated,
    *is_lazy_copy, *function_modes, *hash, *other_digest, *other_contents_digest;

typedef struct {
    PyObject *storage; /* held while data is used */
    const char *data;
    Py_ssize_t size;
    int length; /* of the header */
    char header[TEXT];
} Found;

static const char *name_of(Dtype dtype) {
    static const struct {
        uint8_t code, bits;
        const char *name;
    } names[] = {
        {2, 32, "float32"},      {2, 64, "float64"},          {2, 16, "float16"},      {4, 16, "bfloat16"},
        {0, 64, "int64"},        {0, 32, "int32"},            {0, 16, "int16"},        {0, 8, "int8"},
        {1, 8, "uint8"},         {1, 16, "uint16"},           {1, 32, "uint32"},       {1, 64, "uint64"},
        {6, 8, "bool"},          {10, 8, "float8_e4m3fn"},    {12, 8, "float8_e5m2"},  {11, 8, "float8_e4m3fnuz"},
        {13, 8, "float8_e5m2fnuz"}, {14, 8, "float8_e8m0fnu"},
    };
    if (dtype.lanes == 1)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (names[k].code == dtype.code && names[k].bits == dtype.bits) return names[k].name;
    return NULL;
}

static char *put_text(char *at, const char *text) {
    while (*text) *at++ = *text++;
    return at;
}

static char *put_number(char *at, uint64_t number) {
    char digits[24];
    int count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count) *at++ = digits[--count];
    return at;
}

/* As `digest._form` writes it; the length, which comes first, is little-endian. */
static int write_header(char *header, const char *name, const View *view) {
    char *at = put_text(put_text(put_text(header + 4, "dense "), name), " (");
    for (int k = 0; k < view->ndim; k++) {
        if (k) at = put_text(at, ", ");
        at = put_number(at, (uint64_t)view->shape[k]);
    }
    if (view->ndim == 1) *at++ = ',';
    *at++ = ')';
    uint32_t length = (uint32_t)(at - header - 4);
    for (int k = 0; k < 4; k++) header[k] = (char)(length >> (8 * k));
    return (int)(at - header);
}

/* The answer of a call as a number; -1 where it failed. */
static Py_ssize_t number_of(PyObject *answer) {
    if (!answer) return -1;
    Py_ssize_t number = PyLong_AsSsize_t(answer);
    Py_DecRef(answer);
    return number;
}

/* Whether a function has this very answer. */
static int answers(PyObject *function, PyObject *tensor, PyObject *expected) {
    PyObject *answer = PyObject_CallFunctionObjArgs(function, tensor, NULL);
    if (!answer) return 0;
    Py_DecRef(answer);
    return answer == expected;
}

static int read_plain(PyObject *tensor, Found *found) {
    PyObject *type = PyObject_Type(tensor);
    int is_ordinary = type == tensor_type || type == parameter_type;
    Py_DecRef(type);
    if (!is_ordinary) return 0;
    /* NOTE: DLPack asks for an address to write to, which makes a lazy copy a real one, and tells of no negation. These
       two may let other threads run: all that is used is asked for after them. */
    if (!answers(is_lazy_copy, tensor, no) || !answers(is_negated, tensor, no)) return 0;
    found->storage = PyObject_CallFunctionObjArgs(storage_of, tensor, NULL); /* of what has one of its own */
    if (!found->storage) return 0;
    Py_ssize_t held = number_of(PyObject_CallFunctionObjArgs(size_of, found->storage, NULL));
    Py_ssize_t offset = number_of(PyObject_CallFunctionObjArgs(offset_of, tensor, NULL));
    View view;
    if (held < 0 || offset < 0 || exchange->view_of(tensor, &view)) return 0;
    const char *name = name_of(view.dtype);
    if (view.dtype.bits == 8 && view.dtype.code <= 1) { /* DLPack gives int3 and its like out as int8 */
        PyObject *dtype = PyObject_GetAttrString(tensor, "dtype");
        if (!dtype) return 0;
        Py_DecRef(dtype);
        if (dtype != (view.dtype.code ? uint8 : int8)) return 0;
    }
    if (!name || view.device.device_type != ON_CPU || view.ndim > MOST_DIMENSIONS) return 0;
    Py_ssize_t item = view.dtype.bits / 8, size = item;
    for (int k = 0; k < view.ndim; k++)
        if (__builtin_mul_overflow(size, (Py_ssize_t)view.shape[k], &size)) return 0;
    if (size) {
        int64_t stride = 1;
        for (int k = view.ndim - 1; k >= 0; k--)
            if (view.shape[k] != 1) {
                if (view.strides[k] != stride) return 0;
                stride *= view.shape[k];
            }
        if (size > held || offset > (held - size) / item || !view.data) return 0;
    }
    found->data = (const char *)view.data + view.byte_offset;
    found->size = size;
    found->length = write_header(found->header, name, &view);
    return 1;
}

/* Header and bytes of a tensor: 1 and `storage` to be let go, or 0. */
static int find(PyObject *tensor, Found *found) {
    found->storage = NULL;
    if (read_plain(tensor, found)) return 1;
    PyErr_Clear();
    if (found->storage) Py_DecRef(found->storage);
    return 0;
}

static int feed_bytes(PyObject *update, const char *data, Py_ssize_t size) {
    PyObject *view = PyMemoryView_FromMemory((char *)data, size, READ_ONLY);
    if (!view) return 0;
    PyObject *answer = PyObject_CallFunctionObjArgs(update, view, NULL);
    Py_DecRef(view);
    if (!answer) return 0;
    Py_DecRef(answer);
    return 1;
}

typedef struct {
    PyObject *update;
    int used;
    char block[BLOCK];
} Stream;

static int flush(Stream *stream) {
    int used = stream->used;
    stream->used = 0;
    return !used || feed_bytes(stream->update, stream->block, used);
}

static int add(Stream *stream, const char *data, Py_ssize_t size) {
    if (size > BLOCK - stream->used && !flush(stream)) return 0;
    if (size > BLOCK / 2) return flush(stream) && feed_bytes(stream->update, data, size);
    if (size) memcpy(stream->block + stream->used, data, (size_t)size);
    stream->used += (int)size;
    return 1;
}

static int add_label(Stream *stream, const char *data, Py_ssize_t size) {
    char header[40];
    int length = (int)(put_number(put_text(header + 4, "bytes "), (uint64_t)size) - header);
    header[0] = (char)(length - 4), header[1] = header[2] = header[3] = 0;
    return add(stream, header, length) && add(stream, data, size);
}

/* feed(update, items, start): tensors, bytes and None of a list, from a place on, into a hash. The place of the first
   item that is left to Python comes back, or the number of all. */
static PyObject *feed(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    (void)self;
    PyObject *items = count == 3 ? arguments[1] : NULL;
    Py_ssize_t size = items ? PyList_Size(items) : -1, at = size < 0 ? -1 : PyLong_AsSsize_t(arguments[2]);
    if (size < 0 || at < 0) {
        PyErr_Clear();
        return PyLong_FromSsize_t(0);
    }
    Stream stream;
    stream.update = arguments[0];
    stream.used = 0;
    for (; at < size; at++) {
        PyObject *item = PyList_GetItem(items, at);
        if (!item) {
            PyErr_Clear();
            break;
        }
        Found found;
        char *label;
        Py_ssize_t length;
        int done;
        Py_IncRef(item);
        if (item == none)
            done = add_label(&stream, "none", 4);
        else if (find(item, &found)) {
            done = add(&stream, found.header, found.length) && add(&stream, found.data, found.size);
            Py_DecRef(found.storage);
        } else if (!PyBytes_AsStringAndSize(item, &label, &length))
            done = add_label(&stream, label, length);
        else {
            PyErr_Clear();
            Py_DecRef(item);
            break;
        }
        Py_DecRef(item);
        if (!done) return NULL;
    }
    return flush(&stream) ? PyLong_FromSsize_t(at) : NULL;
}

/* Of a small tensor and so much of its header; NULL without an error for a large one. */
static PyObject *small_digest(const Found *found, int length) {
    if (found->size > SMALL) return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, length + found->size);
    char *at = bytes ? PyBytes_AsString(bytes) : NULL;
    if (!at) return NULL;
    memcpy(at, found->header, (size_t)length);
    if (found->size) memcpy(at + length, found->data, (size_t)found->size);
    PyObject *digest = PyObject_CallFunctionObjArgs(hash, bytes, NULL);
    Py_DecRef(bytes);
    return digest;
}

static PyObject *digest_or(PyObject *tensor, int with_header, PyObject *other) {
    Found found;
    /* A mode would see which attributes are asked for. Nothing here enters a frame or reads a shape from Python, which a
       compiler or a tracer would see. */
    Py_ssize_t modes = number_of(PyObject_CallFunctionObjArgs(function_modes, NULL));
    if (modes < 0) return NULL;
    if (!modes && find(tensor, &found)) {
        PyObject *digest = small_digest(&found, with_header ? found.length : 0);
        Py_DecRef(found.storage);
        if (digest || PyErr_Occurred()) return digest;
    }
    return PyObject_CallFunctionObjArgs(other, tensor, NULL);
}

/* digest(tensor): what is large or not plain is left to Python. */
static PyObject *digest(PyObject *self, PyObject *tensor) {
    (void)self;
    return digest_or(tensor, 1, other_digest);
}

/* contents_digest(tensor): of the bytes alone. */
static PyObject *contents_digest(PyObject *self, PyObject *tensor) {
    (void)self;
    return digest_or(tensor, 0, other_contents_digest);
}

Method reprocheck_feed = {"feed", (void *)feed, TAKES_ARRAY, NULL};
Method reprocheck_contents_digest = {"contents_digest", (void *)contents_digest, TAKES_ONE, NULL};
Method reprocheck_digest = {"digest", (void *)digest, TAKES_ONE, NULL};

/* prepare(objects): in the order of their names above, then the capsule of DLPack. Whether all of it can be used. */
int reprocheck_prepare(PyObject *objects) {
    PyObject **places[] = {
        &tensor_type, &parameter_type, &int8,         &uint8,          &none, &no,           &storage_of, &size_of,
        &offset_of,   &is_negated,     &is_lazy_copy, &function_modes, &hash, &other_digest, &other_contents_digest,
    };
    const Py_ssize_t count = sizeof places / sizeof *places;
    if (PyList_Size(objects) != count + 1) return 0;
    for (Py_ssize_t k = 0; k < count; k++) {
        *places[k] = PyList_GetItem(objects, k);
        Py_IncRef(*places[k]);
    }
    exchange = PyCapsule_GetPointer(PyList_GetItem(objects, count), "dlpack_exchange_api");
    if (!exchange) PyErr_Clear();
    return exchange && exchange->version.major == 1 && exchange->view_of;
}
