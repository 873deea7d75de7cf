import com.sun.jna.Callback;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Library;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.ptr.IntByReference;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

/**
 * A conversation over the C ABI through JNA, as an Android app would call it, with a store in Java. Talks to a peer
 * through tests/relay.py; the library's path is the argument.
 */
public final class Conversation {
  @Structure.FieldOrder({"id"})
  public static class Handle extends Structure {
    public long id;

    public static final class Value extends Handle implements Structure.ByValue {}
  }

  @Structure.FieldOrder({"data", "len", "id"})
  public static class Buffer extends Structure {
    public Pointer data;
    public long len;
    public long id;

    byte[] bytes() {
      return len == 0 ? new byte[0] : data.getByteArray(0, (int) len);
    }
  }

  @Structure.FieldOrder({"name", "nameLen", "device"})
  public static class Address extends Structure {
    public Pointer name;
    public long nameLen;
    public int device;

    static Address of(String text, int device) {
      Address address = new Address();
      address.set(text, device);
      return address;
    }

    void set(String text, int id) {
      Memory memory = memory(text.getBytes(StandardCharsets.UTF_8));
      name = memory;
      nameLen = text.getBytes(StandardCharsets.UTF_8).length;
      device = id;
    }
  }

  @Structure.FieldOrder({"address", "identity", "identityLen", "registrationId", "scope"})
  public static class NewDevice extends Structure {
    public Address address;
    public Pointer identity;
    public long identityLen;
    public int registrationId;
    public int scope;
  }

  @Structure.FieldOrder({
    "size", "dialects", "trust", "cachedSessions", "oneTime", "oneTimeKem", "refillBelow", "hosted", "rotateAfter",
    "keepRetired", "keepOneTime"
  })
  public static class Options extends Structure {
    public int size;
    public int dialects;
    public int trust;
    public int cachedSessions;
    public int oneTime;
    public int oneTimeKem;
    public int refillBelow;
    public int hosted;
    public long rotateAfter;
    public long keepRetired;
    public long keepOneTime;
  }

  @Structure.FieldOrder({"status", "messageType", "registrationId", "device", "bytes", "name"})
  public static class Sent extends Structure {
    public int status;
    public int messageType;
    public int registrationId;
    public int device;
    public Buffer bytes;
    public Buffer name;
  }

  @Structure.FieldOrder({"key", "keyLen", "expectedRevision", "write", "newRevision", "data", "len"})
  public static class Change extends Structure {
    public Pointer key;
    public long keyLen;
    public long expectedRevision;
    public int write;
    public long newRevision;
    public Pointer data;
    public long len;

    public Change() {}

    public Change(Pointer at) {
      super(at);
    }
  }

  public interface Load extends Callback {
    int call(Pointer context, Pointer key, long keyLen, Handle.Value sink);
  }

  public interface Commit extends Callback {
    int call(Pointer context, Pointer changes, long count);
  }

  @Structure.FieldOrder({"context", "load", "commit", "freeContext"})
  public static class Callbacks extends Structure {
    public Pointer context;
    public Load load;
    public Commit commit;
    public Pointer freeContext;
  }

  public interface Sandi extends Library {
    int sandi_abi_version();
    String sandi_status_message(int status);
    long sandi_last_error(byte[] text, long capacity);
    int sandi_buffer_free(Buffer buffer);
    int sandi_record_found(Handle.Value sink, long revision, byte[] data, long len);
    int sandi_store_callbacks(Callbacks callbacks, Handle out);
    int sandi_store_free(Handle.Value store);
    int sandi_options_default(Options out);
    int sandi_device_create(Handle.Value store, NewDevice device, Options options, Handle out);
    int sandi_device_open(Handle.Value store, Options options, Handle out);
    int sandi_device_free(Handle.Value device);
    int sandi_device_replenish(Handle.Value device, int oneTime, int oneTimeKem, long now, Handle out);
    int sandi_upload_bundle(Handle.Value upload, int device, long index, Buffer out);
    int sandi_upload_free(Handle.Value upload);
    int sandi_device_start_session(Handle.Value device, Address peer, byte[] bundle, long len, long now);
    int sandi_device_encrypt(Handle.Value device, Address peer, byte[] plaintext, long len, long now, Sent out);
    int sandi_device_decrypt(
        Handle.Value device, Address from, int type, byte[] bytes, long len, long now, Handle out);
    int sandi_received_plaintext(Handle.Value received, Buffer out);
    int sandi_received_commit(Handle.Value received);
    int sandi_received_free(Handle.Value received);
  }

  static final int OK = 0;
  static final int STALE_HANDLE = 7;
  static final int STORE_FAILED = 30;
  static final int DUPLICATED_MESSAGE = 137;

  static final String NAME = "a11ce000-0000-4000-8000-000000000001";
  static Sandi sandi;
  static Address peer;
  static final BufferedReader answers = new BufferedReader(new InputStreamReader(System.in));

  record Entry(long revision, byte[] bytes) {}

  /** Records in a map; compared first, then written. */
  static final class Store {
    final Map<String, Entry> records = new HashMap<>();
    boolean fails;

    // Fields, so that the collector keeps them as long as the store.
    final Load load = (context, key, keyLen, sink) -> {
      if (fails) return 9;
      Entry entry = records.get(hex(key.getByteArray(0, (int) keyLen)));
      if (entry == null) return OK;
      return sandi.sandi_record_found(sink, entry.revision, entry.bytes, entry.bytes.length);
    };

    final Commit commit = (context, first, count) -> {
      if (fails) return 9;
      Change[] changes = (Change[]) new Change(first).toArray((int) count);
      for (Change change : changes) {
        change.read();
        Entry entry = records.get(hex(change.key.getByteArray(0, (int) change.keyLen)));
        if ((entry == null ? 0 : entry.revision) != change.expectedRevision) return 1;
      }
      for (Change change : changes) {
        String key = hex(change.key.getByteArray(0, (int) change.keyLen));
        if (change.write == 2) records.remove(key);
        if (change.write != 1) continue;
        byte[] bytes = change.len == 0 ? new byte[0] : change.data.getByteArray(0, (int) change.len);
        records.put(key, new Entry(change.newRevision, bytes));
      }
      return OK;
    };
  }

  static Memory memory(byte[] bytes) {
    Memory memory = new Memory(Math.max(1, bytes.length));
    memory.write(0, bytes, 0, bytes.length);
    return memory;
  }

  static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  static long now() {
    return System.currentTimeMillis();
  }

  static void check(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  static void ok(int status) {
    if (status == OK) return;
    byte[] text = new byte[256];
    sandi.sandi_last_error(text, text.length);
    throw new AssertionError(status + ", " + sandi.sandi_status_message(status) + ": " + Native.toString(text));
  }

  static Handle.Value value(Handle handle) {
    Handle.Value value = new Handle.Value();
    value.id = handle.id;
    return value;
  }

  static byte[] take(Buffer buffer) {
    byte[] bytes = buffer.bytes();
    ok(sandi.sandi_buffer_free(buffer));
    return bytes;
  }

  static String[] ask(String request) throws Exception {
    System.out.println(request);
    System.out.flush();
    String[] words = answers.readLine().split(" ");
    check(words[0].equals("ok"), String.join(" ", words));
    return Arrays.copyOfRange(words, 1, words.length);
  }

  static void send(Handle.Value device, String text, int type) throws Exception {
    byte[] plaintext = text.getBytes(StandardCharsets.UTF_8);
    Sent sent = new Sent();
    ok(sandi.sandi_device_encrypt(device, peer, plaintext, plaintext.length, now(), sent));
    check(sent.messageType == type, "message type");
    String got = ask("deliver " + sent.messageType + " " + hex(take(sent.bytes)))[0];
    check(got.equals(hex(plaintext)), "what the peer got");
  }

  static void receive(Handle.Value device, String text) throws Exception {
    byte[] plaintext = text.getBytes(StandardCharsets.UTF_8);
    String[] message = ask("receive " + hex(plaintext));
    int type = Integer.parseInt(message[0]);
    byte[] bytes = HexFormat.of().parseHex(message[1]);
    Handle received = new Handle();
    ok(sandi.sandi_device_decrypt(device, peer, type, bytes, bytes.length, now(), received));
    Buffer buffer = new Buffer();
    ok(sandi.sandi_received_plaintext(value(received), buffer));
    check(Arrays.equals(take(buffer), plaintext), "what the peer sent");
    ok(sandi.sandi_received_commit(value(received)));
    ok(sandi.sandi_received_free(value(received)));
    check(sandi.sandi_received_commit(value(received)) == STALE_HANDLE, "a freed message");
    int again = sandi.sandi_device_decrypt(device, peer, type, bytes, bytes.length, now(), received);
    check(again == DUPLICATED_MESSAGE, "a duplicate");
  }

  public static void main(String[] args) throws Exception {
    sandi = Native.load(args[0], Sandi.class);
    check(sandi.sandi_abi_version() == 1, "ABI version");
    Store records = new Store();
    Callbacks callbacks = new Callbacks();
    callbacks.load = records.load;
    callbacks.commit = records.commit;
    Handle store = new Handle();
    ok(sandi.sandi_store_callbacks(callbacks, store));
    Options options = new Options();
    ok(sandi.sandi_options_default(options));
    options.oneTime = options.oneTimeKem = 2;
    options.refillBelow = 1;
    NewDevice newDevice = new NewDevice();
    newDevice.address.set(NAME, 1);
    Handle handle = new Handle();
    ok(sandi.sandi_device_create(value(store), newDevice, options, handle));
    Handle.Value device = value(handle);

    String[] names = ask("hello " + NAME + " 1");
    peer = Address.of(names[0], Integer.parseInt(names[1]));
    byte[] bundle = HexFormat.of().parseHex(ask("bundle")[0]);
    ok(sandi.sandi_device_start_session(device, peer, bundle, bundle.length, now()));
    send(device, "Hello from Java", 3);
    receive(device, "hello, Java");
    send(device, "on we go", 2);

    records.fails = true;
    Sent lost = new Sent();
    check(sandi.sandi_device_encrypt(device, peer, new byte[1], 1, now(), lost) == STORE_FAILED, "a failing store");
    records.fails = false;
    send(device, "not lost", 2);

    ok(sandi.sandi_device_free(device));
    check(sandi.sandi_device_free(device) == STALE_HANDLE, "freed twice");
    ok(sandi.sandi_device_open(value(store), options, handle));
    device = value(handle);
    receive(device, "after a restart");

    Handle upload = new Handle();
    ok(sandi.sandi_device_replenish(device, 0, 0, now(), upload));
    Buffer own = new Buffer();
    ok(sandi.sandi_upload_bundle(value(upload), 1, 0, own));
    ok(sandi.sandi_upload_free(value(upload)));
    ask("start " + hex(take(own)));
    receive(device, "from a new session");
    send(device, "in the new session", 2);

    ok(sandi.sandi_device_free(device));
    ok(sandi.sandi_store_free(value(store)));
    check(!records.records.isEmpty(), "records");
  }
}
