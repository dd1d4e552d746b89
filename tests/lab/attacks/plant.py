"""Industrial devices and their masters, by real stacks: python-snap7 and pymodbus; telecontrol by frames of the standards.

    plant.py serve                 an S7 controller and a Modbus server
    plant.py WHAT ADDRESS          a master that does WHAT
"""

import asyncio
import socket
import sys
import threading
import time


def serve():
    from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
    from pymodbus.server import StartAsyncTcpServer
    from snap7.server import Server
    from snap7.type import SrvArea
    controller = Server()
    controller.register_area(SrvArea.DB, 1, bytearray(256))
    threading.Thread(target=lambda: controller.start(tcp_port=102), daemon=True).start()
    for port in (2404, 20000, 44818):
        threading.Thread(target=sink, args=(port,), daemon=True).start()
    block = ModbusSequentialDataBlock(0, [0] * 200)
    context = ModbusServerContext(ModbusSlaveContext(hr=block, co=block, di=block, ir=block), single=True)
    asyncio.run(StartAsyncTcpServer(context, address=("0.0.0.0", 502)))


def sink(port):
    listener = socket.create_server(("0.0.0.0", port))
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=lambda s=stream: s.recv(4096), daemon=True).start()


def s7(address):
    from snap7.client import Client
    client = Client()
    client.connect(address, 0, 1)
    return client


def attempt(do):
    """Does it; if a controller cannot, the others still do."""
    try:
        do()
    except Exception as why:  # noqa: BLE001 - whatever the stack raises
        print(why)


def modbus(address):
    from pymodbus.client import ModbusTcpClient
    client = ModbusTcpClient(address)
    client.connect()
    return client


def say(address, port, data):
    with socket.create_connection((address, port), timeout=5) as stream:
        stream.sendall(data)
        time.sleep(0.3)


def tell(address, port, data):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(data, (address, port))


def many(*acts):
    for act in acts:
        attempt(act)


# DNP3 (IEEE 1815) from a master; the checksums are not looked at. IEC 60870-5-104: type, cause 6 (activation).
DNP3 = b"\x05\x64\x08\xc4\x0a\x00\x01\x00\xfc\x42\xc0\xc0"
IEC104 = b"\x68\x0e\x00\x00\x00\x00%c\x01\x06\x00\x01\x00\x01\x00\x00\x01"
BACNET = b"\x81\x0a\x00\x0a\x01\x04\x00\x05\x01"
# CIP: RR data with a null address and an unconnected request.
CIP = b"\x6f\x00\x16\x00" + bytes(20) + b"\x00" * 6 + b"\x02\x00\x00\x00\x00\x00\xb2\x00\x06\x00"

MASTERS = {
    "s7-stop": lambda a: attempt(s7(a).plc_stop),
    "s7-start": lambda a: many(s7(a).plc_hot_start, s7(a).plc_cold_start),
    "s7-read": lambda a: many(*[lambda: s7(a).db_read(1, 0, 8)] * 5, s7(a).get_cpu_info, lambda: s7(a).db_write(1, 0, b"abcd")),
    "s7-download": lambda a: attempt(lambda: s7(a).download(b"pp" + bytes(200), 1)),
    "s7-upload": lambda a: attempt(lambda: s7(a).full_upload(__import__("snap7").type.Block.DB, 1)),
    "modbus-write": lambda a: many(lambda: modbus(a).write_register(3, 7), lambda: modbus(a).write_coil(1, True)),
    "modbus-read": lambda a: many(*[lambda: modbus(a).read_holding_registers(1, count=4)] * 20),
    "dnp3-restart": lambda a: say(a, 20000, DNP3 + b"\x0d"),
    "dnp3-operate": lambda a: say(a, 20000, DNP3 + b"\x05"),
    "dnp3-read": lambda a: say(a, 20000, DNP3 + b"\x01"),
    "iec104-control": lambda a: say(a, 2404, IEC104 % 45),
    "iec104-reset": lambda a: say(a, 2404, IEC104 % 105),
    "iec104-read": lambda a: say(a, 2404, IEC104 % 100),
    "bacnet-restart": lambda a: tell(a, 47808, BACNET + b"\x14\x09\x00"),
    "bacnet-write": lambda a: tell(a, 47808, BACNET + b"\x0f\x0c\x00"),
    "bacnet-read": lambda a: tell(a, 47808, BACNET + b"\x0c\x0c\x00"),
    "cip-stop": lambda a: say(a, 44818, CIP + b"\x07\x02\x20\x8e\x24\x01"),
    "cip-reset": lambda a: say(a, 44818, CIP + b"\x05\x02\x20\x01\x24\x01"),
    "cip-read": lambda a: say(a, 44818, CIP + b"\x0e\x03\x20\x01\x24\x01\x30\x07"),
}

if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        MASTERS[sys.argv[1]](sys.argv[2])
